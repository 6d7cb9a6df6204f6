// Package asking is the requests that a device makes for itself and waits for: those of a joiner, and those of a member that
// asks to be brought back into step (SPEC §9, States of a joiner and States of a member that asks).
//
// An Asking is an immutable value. Time is a parameter, and what happened is a Change: the frame to post, what the person is to be
// told, which secrets are to be erased. Nothing here ends without a Change that says so: who waits is told that it waits.
package asking
