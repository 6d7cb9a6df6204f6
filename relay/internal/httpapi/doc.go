// Package httpapi is the form that requests to a relay have over HTTP: routes, bodies and problems. The handler and the client
// use the same routes, so neither can say what the other does not read. docs/HTTP.md describes them for people, and openapi.json
// for programs.
package httpapi
