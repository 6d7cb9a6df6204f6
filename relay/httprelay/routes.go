package httprelay

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"

	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/internal/httpapi"
	"github.com/trefoil-im/trefoil/relay/store"
)

type none = struct{}

// serveOpen serves what anybody may call.
func (h *Handler) serveOpen() {
	handle(h, httpapi.Health, func(ctx context.Context, _ *call, _ none) (httpapi.Healthy, error) {
		if _, err := h.r.Directory.Log(ctx); err != nil { // the store answers
			return httpapi.Healthy{}, err
		}
		return httpapi.Healthy{Build: h.o.Build, Schema: store.Version, Protocol: httpapi.Version, Oldest: httpapi.Oldest}, nil
	})
	handle(h, httpapi.Description, func(context.Context, *call, none) (json.RawMessage, error) {
		return httpapi.OpenAPI(), nil
	})
	handle(h, httpapi.Challenge, func(ctx context.Context, _ *call, in httpapi.ChallengeRequest) (api.Challenge, error) {
		return h.r.Logins.Challenge(ctx, in.Device)
	})
	handle(h, httpapi.Login, func(ctx context.Context, c *call, in api.Login) (api.Token, error) {
		c.note("login", in.Device.String())
		return h.r.Logins.Login(ctx, in)
	})
	handle(h, httpapi.Publish, func(ctx context.Context, c *call, in api.Publication) (api.Published, error) {
		if h.o.Admit != nil {
			if err := h.o.Admit(c.req, in); err != nil {
				return api.Published{}, forbidden(err)
			}
		}
		out, err := h.r.Directory.Publish(ctx, in)
		c.note("devices", len(out.Devices))
		c.note("revoked", len(out.Revoked))
		return out, err
	})
	handle(h, httpapi.Delete, func(ctx context.Context, c *call, in api.Deletion) (api.Published, error) {
		out, err := h.r.Directory.Delete(ctx, in)
		c.note("revoked", len(out.Revoked))
		return out, err
	})
	handle(h, httpapi.Lookup, func(ctx context.Context, _ *call, in httpapi.LookupRequest) (api.Person, error) {
		return h.r.Directory.Lookup(ctx, in.Address, in.Known)
	})
	handle(h, httpapi.Log, func(ctx context.Context, _ *call, _ none) (api.LogHead, error) { return h.r.Directory.Log(ctx) })
	handle(h, httpapi.Leaves, func(ctx context.Context, _ *call, in httpapi.LeavesRequest) (httpapi.LeavesAnswer, error) {
		leaves, err := h.r.Directory.Leaves(ctx, in.From, limit(in.Limit))
		return httpapi.LeavesAnswer{Leaves: leaves}, err
	})
	handle(h, httpapi.Inclusion, func(ctx context.Context, _ *call, in httpapi.InclusionRequest) (httpapi.ProofAnswer, error) {
		proof, err := h.r.Directory.Inclusion(ctx, in.Leaf, in.Size)
		return httpapi.ProofAnswer{Proof: proof}, err
	})
	handle(h, httpapi.Consistency, func(ctx context.Context, _ *call, in httpapi.ConsistencyRequest) (httpapi.ProofAnswer, error) {
		proof, err := h.r.Directory.Consistency(ctx, in.Older, in.Size)
		return httpapi.ProofAnswer{Proof: proof}, err
	})
}

// mostListed is how many entries of a list are answered at once, which is also how many are if the device does not say.
const mostListed = 1000

func limit(asked int64) int {
	if asked <= 0 || asked > mostListed {
		return mostListed
	}
	return int(asked)
}

// forbidden puts an error of the program into its class.
func forbidden(err error) error { return fmt.Errorf("%w: %w", api.ErrForbidden, err) }

// serveDevices serves what a device calls that is known.
func (h *Handler) serveDevices() {
	h.serveConversations()
	h.serveMailboxes()
	handle(h, httpapi.Stock, func(ctx context.Context, c *call, in httpapi.StockRequest) (httpapi.StockAnswer, error) {
		n, err := h.r.Directory.Stock(ctx, c.device, in.Bundle, in.OneTime)
		return httpapi.StockAnswer{Unclaimed: n}, err
	})
	handle(h, httpapi.Claim, func(ctx context.Context, c *call, in httpapi.ClaimRequest) (httpapi.ClaimAnswer, error) {
		claimed, err := h.r.Directory.Claim(ctx, c.device, in.Key, in.Person, in.Identities...)
		c.note("claimed", len(claimed))
		return httpapi.ClaimAnswer{Claimed: claimed}, err
	})
	handle(h, httpapi.StartBlob, func(ctx context.Context, c *call, in httpapi.StartBlobRequest) (httpapi.BlobAnswer, error) {
		n, err := h.r.Blobs.Start(ctx, c.device, in.Address, in.Size)
		return httpapi.BlobAnswer{Received: n}, err
	})
	handle(h, httpapi.AppendBlob, func(ctx context.Context, c *call, in httpapi.AppendBlobRequest) (httpapi.BlobAnswer, error) {
		n, err := h.r.Blobs.Append(ctx, c.device, in.Address, in.Start, in.Data)
		return httpapi.BlobAnswer{Received: n}, err
	})
	handle(h, httpapi.ReadBlob, func(ctx context.Context, c *call, in httpapi.ReadBlobRequest) (httpapi.Piece, error) {
		data, size, err := h.r.Blobs.Read(ctx, c.device, in.Address, in.Start)
		return httpapi.Piece{Size: size, Data: data}, err
	})
}

func (h *Handler) serveConversations() {
	handle(h, httpapi.Begin, func(ctx context.Context, c *call, in api.Proposal) (api.Begun, error) {
		if h.o.Allow != nil {
			if err := h.o.Allow(c.req, c.device, in); err != nil {
				return api.Begun{}, forbidden(err)
			}
		}
		out, err := h.r.Conversations.Begin(ctx, c.device, in)
		c.note("members", len(in.Members))
		c.note("envelopes", len(in.Envelopes))
		c.note("adopted", out.Adopted)
		return out, err
	})
	handle(h, httpapi.List, func(ctx context.Context, c *call, in httpapi.ListRequest) (httpapi.ListAnswer, error) {
		ids, err := h.r.Conversations.List(ctx, c.device, in.After, limit(in.Limit))
		return httpapi.ListAnswer{Conversations: ids}, err
	})
	handle(h, httpapi.Get, func(ctx context.Context, c *call, in httpapi.ConversationRequest) (api.Conversation, error) {
		return h.r.Conversations.Get(ctx, c.device, in.ID)
	})
	handle(h, httpapi.Leave, func(ctx context.Context, c *call, in httpapi.ConversationRequest) (none, error) {
		return none{}, h.r.Conversations.Leave(ctx, c.device, in.ID)
	})
	handle(h, httpapi.Initial, func(ctx context.Context, c *call, in httpapi.InitialRequest) (api.Initial, error) {
		return h.r.Conversations.Initial(ctx, c.device, in.ID, in.Number)
	})
	handle(h, httpapi.AskKey, func(ctx context.Context, c *call, in api.KeyRequest) (httpapi.AskKeyAnswer, error) {
		id, err := h.r.Conversations.Request(ctx, c.device, in)
		return httpapi.AskKeyAnswer{ID: id}, err
	})
	handle(h, httpapi.GetRequest, func(ctx context.Context, c *call, in httpapi.KeyRequestRequest) (httpapi.KeyRequestAnswer, error) {
		q, answered, err := h.r.Conversations.GetRequest(ctx, c.device, in.ID)
		return httpapi.KeyRequestAnswer{Request: q, Answered: answered}, err
	})
	handle(h, httpapi.Fulfil, func(ctx context.Context, c *call, in httpapi.FulfilRequest) (none, error) {
		return none{}, h.r.Conversations.Fulfil(ctx, c.device, in.ID, in.Envelope)
	})
}

func (h *Handler) serveMailboxes() {
	handle(h, httpapi.Subscribe, func(ctx context.Context, c *call, in httpapi.SubscribeRequest) (none, error) {
		c.note("topics", len(in.Topics))
		return none{}, h.r.Mailboxes.Subscribe(ctx, c.device, in.Topics...)
	})
	handle(h, httpapi.SubscribeMailboxes, func(ctx context.Context, c *call, in httpapi.SubscribeMailboxesRequest) (none, error) {
		c.note("mailboxes", len(in.Mailboxes))
		return none{}, h.r.Mailboxes.SubscribeMailboxes(ctx, c.device, in.Mailboxes...)
	})
	handle(h, httpapi.Unsubscribe, func(ctx context.Context, c *call, in httpapi.UnsubscribeRequest) (none, error) {
		return none{}, h.r.Mailboxes.Unsubscribe(ctx, c.device, in.Topic)
	})
	handle(h, httpapi.Post, func(ctx context.Context, c *call, in httpapi.PostRequest) (api.Posted, error) {
		out, err := h.r.Mailboxes.Post(ctx, c.device, in.Key, in.Topic, in.Data)
		c.note("bytes", len(in.Data))
		c.note("stored", out.Stored)
		c.note("full", out.Full)
		if err == nil {
			h.o.Meter.Frame(out.Stored, out.Full)
		}
		return out, err
	})
	handle(h, httpapi.Page, func(ctx context.Context, c *call, in httpapi.PageRequest) (api.Page, error) {
		size := in.Size
		if size == 0 { // the device does not say
			size = api.MaxPage
		}
		out, err := h.r.Mailboxes.Page(ctx, c.device, in.After, int(min(size, api.MaxPage)))
		c.note("items", len(out.Items))
		return out, err
	})
	handle(h, httpapi.Acknowledge, func(ctx context.Context, c *call, in httpapi.AcknowledgeRequest) (none, error) {
		c.note("items", len(in.Seqs))
		return none{}, h.r.Mailboxes.Acknowledge(ctx, c.device, in.Seqs...)
	})
}

// build returns the version of the module, and the commit, as far as the program knows.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	out := info.Main.Path + "@" + info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" || s.Key == "vcs.modified" && s.Value == "true" {
			out += " " + s.Key + "=" + s.Value
		}
	}
	return out
}
