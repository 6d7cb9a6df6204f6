package httpapi

import (
	"encoding/json"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/relay/api"
)

// The longest bodies in bytes. Bytes in JSON take a third more than they are.
const (
	shortBody       = 64 << 10
	frameBody       = 3 << 20   // api.MaxFrame in base64, with its topic
	topicsBody      = 1 << 20   // api.MaxSubscribed topics, each of api.MaxTopic bytes, most of them escaped
	mailboxesBody   = 128 << 10 // api.MaxMailboxProofs
	preKeysBody     = 3 << 20   // directory.MaxOneTime pre-keys with a bundle
	publicationBody = 16 << 20  // a registration of directory.MaxDevices, a hundred pre-keys for each; more come with Stock
	proposalBody    = 64 << 20  // api.MaxEnvelopes of 12 KiB, twice what an initiation takes
	// MaxBody is the longest of all.
	MaxBody = proposalBody
)

// PushPath is where a WebSocket is opened. It is a route without a form.
const PushPath = "/v1/push"

// Wake is the message that a relay sends on a WebSocket: there may be something in the device's mailbox.
const Wake = "wake"

type none = struct{}

// The routes, open ones first.
var (
	Health      = Route[none, Healthy]{Method: "GET", Path: "/healthz", Open: true}
	Description = Route[none, json.RawMessage]{Method: "GET", Path: "/v1/openapi.json", Open: true}
	Challenge   = Route[ChallengeRequest, api.Challenge]{Method: "POST", Path: "/v1/challenges", Open: true, Body: shortBody}
	Login       = Route[api.Login, api.Token]{Method: "POST", Path: "/v1/tokens", Open: true, Once: true, Body: shortBody}
	Publish     = Route[api.Publication, api.Published]{Method: "POST", Path: "/v1/publications", Open: true, Body: publicationBody}
	Delete      = Route[api.Deletion, api.Published]{Method: "POST", Path: "/v1/deletions", Open: true, Body: shortBody}
	Lookup      = Route[LookupRequest, api.Person]{Method: "GET", Path: "/v1/people/{address}", Open: true}
	Log         = Route[none, api.LogHead]{Method: "GET", Path: "/v1/log", Open: true}
	Leaves      = Route[LeavesRequest, LeavesAnswer]{Method: "GET", Path: "/v1/log/leaves", Open: true}
	Inclusion   = Route[InclusionRequest, ProofAnswer]{Method: "GET", Path: "/v1/log/inclusion", Open: true}
	Consistency = Route[ConsistencyRequest, ProofAnswer]{Method: "GET", Path: "/v1/log/consistency", Open: true}

	Stock = Route[StockRequest, StockAnswer]{Method: "POST", Path: "/v1/prekeys", Once: true, Body: preKeysBody}
	Claim = Route[ClaimRequest, ClaimAnswer]{Method: "POST", Path: "/v1/claims", Body: shortBody}

	Begin      = Route[api.Proposal, api.Begun]{Method: "POST", Path: "/v1/sessions", Body: proposalBody}
	List       = Route[ListRequest, ListAnswer]{Method: "GET", Path: "/v1/conversations"}
	Get        = Route[ConversationRequest, api.Conversation]{Method: "GET", Path: "/v1/conversations/{id}"}
	Leave      = Route[ConversationRequest, none]{Method: "POST", Path: "/v1/conversations/{id}/leave"}
	Initial    = Route[InitialRequest, api.Initial]{Method: "GET", Path: "/v1/conversations/{id}/sessions/{number}/initial"}
	AskKey     = Route[api.KeyRequest, AskKeyAnswer]{Method: "POST", Path: "/v1/requests", Body: shortBody}
	GetRequest = Route[KeyRequestRequest, KeyRequestAnswer]{Method: "GET", Path: "/v1/requests/{id}"}
	Fulfil     = Route[FulfilRequest, none]{Method: "POST", Path: "/v1/requests/{id}/answer", Body: 2 * api.MaxSealed}

	Subscribe          = Route[SubscribeRequest, none]{Method: "POST", Path: "/v1/subscriptions", Body: topicsBody}
	SubscribeMailboxes = Route[SubscribeMailboxesRequest, none]{Method: "POST", Path: "/v1/subscriptions/mailboxes", Body: mailboxesBody}
	Unsubscribe        = Route[UnsubscribeRequest, none]{Method: "DELETE", Path: "/v1/subscriptions"}
	Post               = Route[PostRequest, api.Posted]{Method: "POST", Path: "/v1/frames", Body: frameBody}
	Page               = Route[PageRequest, api.Page]{Method: "GET", Path: "/v1/mailbox"}
	Acknowledge        = Route[AcknowledgeRequest, none]{Method: "POST", Path: "/v1/mailbox/acknowledge", Body: shortBody}

	StartBlob  = Route[StartBlobRequest, BlobAnswer]{Method: "PUT", Path: "/v1/blobs/{address}"}
	AppendBlob = Route[AppendBlobRequest, BlobAnswer]{Method: "PATCH", Path: "/v1/blobs/{address}", Body: api.ChunkSize}
	ReadBlob   = Route[ReadBlobRequest, Piece]{Method: "GET", Path: "/v1/blobs/{address}"}
)

// Healthy is what a relay that works says of itself.
type Healthy struct {
	Build    string `json:"build"`    // the version of the module and the commit, as far as the program knows
	Schema   int    `json:"schema"`   // of the tables
	Protocol int    `json:"protocol"` // Version
	Oldest   int    `json:"oldest"`   // Oldest
}

// What devices say, and what they are answered, where package api has no form for it.
type (
	ChallengeRequest struct {
		Device api.DeviceID `json:"device"`
	}
	LookupRequest struct {
		Address key.Address `path:"address"`
		Known   uint64      `query:"known"`
	}
	LeavesRequest struct {
		From  uint64 `query:"from"`
		Limit int64  `query:"limit"`
	}
	LeavesAnswer struct {
		Leaves []api.Leaf `json:"leaves,omitempty"`
	}
	InclusionRequest struct {
		Leaf uint64 `query:"leaf"`
		Size uint64 `query:"size"`
	}
	ConsistencyRequest struct {
		Older uint64 `query:"older"`
		Size  uint64 `query:"size"`
	}
	ProofAnswer struct {
		Proof []api.Hash `json:"proof,omitempty"`
	}
	StockRequest struct {
		Bundle  []byte   `json:"bundle,omitempty"`
		OneTime [][]byte `json:"oneTime,omitempty"`
	}
	StockAnswer struct {
		Unclaimed int `json:"unclaimed"`
	}
	ClaimRequest struct {
		Key        api.RequestKey `json:"key"`
		Person     key.Address    `json:"person"`
		Identities [][]byte       `json:"identities,omitempty"`
	}
	ClaimAnswer struct {
		Claimed []api.Claimed `json:"claimed,omitempty"`
	}
	ListRequest struct {
		After api.ConversationID `query:"after"`
		Limit int64              `query:"limit"`
	}
	ListAnswer struct {
		Conversations []api.ConversationID `json:"conversations,omitempty"`
	}
	ConversationRequest struct {
		ID api.ConversationID `path:"id"`
	}
	InitialRequest struct {
		ID     api.ConversationID `path:"id"`
		Number uint64             `path:"number"`
	}
	AskKeyAnswer struct {
		ID api.RequestID `json:"id"`
	}
	KeyRequestRequest struct {
		ID api.RequestID `path:"id"`
	}
	KeyRequestAnswer struct {
		Request  api.KeyRequest `json:"request"`
		Answered bool           `json:"answered"`
	}
	FulfilRequest struct {
		ID       api.RequestID `path:"id"`
		Envelope api.Envelope  `body:"json"`
	}
	SubscribeRequest struct {
		Topics []string `json:"topics,omitempty"`
	}
	SubscribeMailboxesRequest struct {
		Mailboxes []api.MailboxProof `json:"mailboxes"`
	}
	UnsubscribeRequest struct {
		Topic string `query:"topic"`
	}
	PostRequest struct {
		Key   api.RequestKey `json:"key"`
		Topic string         `json:"topic"`
		Data  []byte         `json:"data,omitempty"`
	}
	PageRequest struct {
		After uint64 `query:"after"`
		Size  int64  `query:"size"`
	}
	AcknowledgeRequest struct {
		Seqs []uint64 `json:"seqs,omitempty"`
	}
	StartBlobRequest struct {
		Address api.BlobAddress `path:"address"`
		Size    int64           `query:"size"`
	}
	AppendBlobRequest struct {
		Address api.BlobAddress `path:"address"`
		Start   int64           `query:"start"`
		Data    []byte          `body:"octets"`
	}
	BlobAnswer struct {
		Received int64 `json:"received"`
	}
	ReadBlobRequest struct {
		Address api.BlobAddress `path:"address"`
		Start   int64           `query:"start"`
	}
	// Piece is answered as octets, with the size of the whole blob in a header.
	Piece struct {
		Size int64
		Data []byte
	}
)
