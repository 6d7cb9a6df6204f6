// Package api is the language of devices and a relay: names, requests, answers and errors, and the messages that devices
// sign. A device needs it to talk to a relay, and a relay to answer; it links neither a database nor a private key.
//
// Times are milliseconds since 1970. Labels of what is signed or hashed are part of the formats.
package api
