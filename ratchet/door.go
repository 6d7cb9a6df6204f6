package ratchet

import (
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

type KEM = suite.KEM

const MLKEM768X25519 = suite.MLKEM768X25519
const X25519 = suite.X25519

type Envelope = proto.Envelope

// ParseEnvelope reads what Bytes returned. It returns ErrMalformed, or state.ErrTooOld or state.ErrTooNew for another version.
func ParseEnvelope(b []byte) (Envelope, error) {
	v, err := proto.ParseEnvelope(b)
	return v, outcome.Malformed(err)
}

type Grant = proto.Grant

// ParseGrant reads what Bytes returned. It returns ErrMalformed, or state.ErrTooOld or state.ErrTooNew for another version.
func ParseGrant(b []byte) (Grant, error) {
	v, err := proto.ParseGrant(b)
	return v, outcome.Malformed(err)
}

const MaxPlaintext = proto.MaxPlaintext
const MaxApplicationData = proto.MaxApplicationData

var ErrDuplicate = outcome.ErrDuplicate
var ErrOwn = outcome.ErrOwn
var ErrUnknownEpoch = outcome.ErrUnknownEpoch
var ErrUnknownSender = outcome.ErrUnknownSender
var ErrOthersFirst = outcome.ErrOthersFirst
var ErrBeforeJoin = outcome.ErrBeforeJoin
var ErrExpired = outcome.ErrExpired
var ErrSenderRolledBack = outcome.ErrSenderRolledBack
var ErrLimit = outcome.ErrLimit
var ErrForged = outcome.ErrForged
var ErrRemoved = outcome.ErrRemoved
var ErrStale = outcome.ErrStale
var ErrMalformed = outcome.ErrMalformed
var ErrInviteDead = outcome.ErrInviteDead
var ErrInviteTaken = outcome.ErrInviteTaken
var ErrInvitesExhausted = outcome.ErrInvitesExhausted
var ErrTooLong = outcome.ErrTooLong

type Policy = proto.Policy
type Request = proto.Request

// ParseRequest reads what Bytes returned. It returns ErrMalformed, or state.ErrTooOld or state.ErrTooNew for another version.
func ParseRequest(b []byte) (Request, error) {
	v, err := proto.ParseRequest(b)
	return v, outcome.Malformed(err)
}

type Scheme = suite.Scheme

const Ed25519 = suite.Ed25519
const Ed448 = suite.Ed448

type PublicKey = suite.PublicKey
type Ticket = proto.Ticket

// ParseTicket reads what Bytes returned. It returns ErrMalformed, or state.ErrTooOld or state.ErrTooNew for another version.
func ParseTicket(b []byte) (Ticket, error) {
	v, err := proto.ParseTicket(b)
	return v, outcome.Malformed(err)
}
