package api

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

var update = flag.Bool("update", false, "write the formats to testdata")

// What is signed, hashed or stored in a mailbox is part of the formats.
func TestFormatsArePinned(t *testing.T) {
	person, mailbox := key.Address(bytes.Repeat([]byte{1}, 32)), key.Address(bytes.Repeat([]byte{2}, 32))
	identity := key.Stored[key.Identity](bytes.Repeat([]byte{3}, key.PublicKeySize))
	name := key.Stored[key.Identity](bytes.Repeat([]byte{4}, key.PublicKeySize))
	entry := directory.NewEntry(identity, key.PublicKey[key.PreKey]{}, mailbox, key.PublicKey[key.Inbox]{})
	request := KeyRequest{ConversationID{5}, 6, DeviceID{7}, DeviceID{8}, nil}
	id := request.ID()
	notice, err := Notice{ConversationID{5}, 6, id}.MarshalBinary()
	require.NoError(t, err)
	proposal := Proposal{RequestKey{9}, ConversationID{5}, Group, 6, []key.Address{mailbox, person},
		[]Envelope{{DeviceID{8}, bytes.Repeat([]byte{10}, key.PublicKeySize), []byte("sealed")}, {DeviceID{7}, bytes.Repeat([]byte{11}, key.PublicKeySize), []byte("s")}}}
	digest, device := proposal.Digest(), NewDeviceID(person, name)
	var got strings.Builder
	for _, f := range []struct {
		name  string
		bytes []byte
	}{
		{"device id", device[:]},
		{"device proof", entry.Consent(person)},
		{"device proof, renewed", entry.Renewed(name, 2).Consent(person)},
		{"publication", Publication{Version: 3, Registration: []byte("registration")}.Message()},
		{"login", LoginProof("relay.example", device, []byte("challenge"))},
		{"subscription", SubscribeProof(mailbox, device)},
		{"key request", request.Message()},
		{"key request id", id[:]},
		{"leaf", LeafRecord(person, 3, []byte("registration"))},
		{"notice", notice},
		{"digest of a proposal", digest[:]},
	} {
		fmt.Fprintf(&got, "%s: %x\n", f.name, f.bytes)
	}
	path := filepath.Join("testdata", "formats.golden")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got.String(), "run with -update if the change is meant")
}

// The typed errors are of their classes, and of no other.
func TestErrorsHaveClasses(t *testing.T) {
	typed := map[error]error{ErrStale: &StaleError{1}, ErrDevices: &DevicesError{}, ErrMembers: &MembersError{}, ErrBeforeJoined: &BeforeJoinedError{2}}
	for class, err := range typed {
		for other := range typed {
			require.Equal(t, class == other, errors.Is(fmt.Errorf("wrapped: %w", err), other))
		}
		require.True(t, strings.HasPrefix(err.Error(), class.Error()))
	}
	require.ErrorIs(t, ErrRevoked, ErrForbidden)
}
