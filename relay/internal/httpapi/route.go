package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
)

// Version is the version of the protocol that this release speaks, and Oldest the oldest one that it understands. A device says
// its own in the header of each request; the relay answers an older one with ErrTooOld.
const (
	Version = 1
	Oldest  = 1

	VersionHeader = "Relay-Version"
)

// Types of bodies.
const (
	typeJSON    = "application/json"
	typeOctets  = "application/octet-stream"
	typeProblem = "application/problem+json"
)

// sizeHeader is the header with the size of the whole blob of which a piece is answered.
const sizeHeader = "Relay-Blob-Size"

// Route is one kind of request: In is what a device says, Out what it is answered.
//
// Fields of In with the tag path or query travel in the address of the request. The body is the field with the tag body, as JSON or
// as octets, or else In itself if it has fields without a tag.
type Route[In, Out any] struct {
	Method string
	Path   string // a pattern of http.ServeMux without the method
	Open   bool   // anybody may call it: it needs no token
	Once   bool   // made again it is refused, if it was carried out
	Body   int64  // the longest body in bytes
}

// Pattern returns the pattern of http.ServeMux.
func (r Route[In, Out]) Pattern() string { return r.Method + " " + r.Path }

// Read reads a request, strictly: there is nothing in it that the route does not name. It returns api.ErrMalformed, ErrTooLong or
// ErrMediaType.
func (r Route[In, Out]) Read(w http.ResponseWriter, req *http.Request) (in In, err error) {
	f := formOf(&in)
	if err := f.readAddress(req); err != nil {
		return in, err
	}
	if f.body == nil {
		return in, nil
	}
	want := typeJSON
	if f.octets {
		want = typeOctets
	}
	if t, _, err := mime.ParseMediaType(req.Header.Get("Content-Type")); err != nil || t != want {
		return in, fmt.Errorf("%w: %s is expected", ErrMediaType, want)
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, req.Body, r.Body))
	if err != nil {
		if long := new(http.MaxBytesError); errors.As(err, &long) {
			return in, fmt.Errorf("%w: a body has up to %d bytes", ErrTooLong, r.Body)
		}
		return in, malformed("the body ends early")
	}
	if f.octets {
		*f.body.(*[]byte) = raw
		return in, nil
	}
	return in, strict(raw, f.body)
}

// Write answers a request.
func (r Route[In, Out]) Write(w http.ResponseWriter, out Out) error {
	var raw []byte
	switch v := any(out).(type) {
	case struct{}:
		w.WriteHeader(http.StatusNoContent)
		return nil
	case Piece:
		w.Header().Set("Content-Type", typeOctets)
		w.Header().Set(sizeHeader, strconv.FormatInt(v.Size, 10))
		raw = v.Data
	default:
		w.Header().Set("Content-Type", typeJSON)
		var err error
		if raw, err = json.Marshal(out); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	_, err := w.Write(raw)
	return err
}

// Request returns the request that says in, to a relay at base, which ends without a slash.
func (r Route[In, Out]) Request(ctx context.Context, base string, in In) (*http.Request, error) {
	f := formOf(&in)
	address, err := f.address(r.Path)
	if err != nil {
		return nil, err
	}
	var body []byte
	kind := ""
	switch {
	case f.octets:
		body, kind = *f.body.(*[]byte), typeOctets
	case f.body != nil:
		if body, err = json.Marshal(f.body); err != nil {
			return nil, err
		}
		kind = typeJSON
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, base+address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set(VersionHeader, strconv.Itoa(Version))
	if !r.Once {
		// A relay that restarts, or a proxy, closes connections that are kept for later, at any moment. With this header, which is not
		// sent, net/http makes a request again that has met such an end.
		req.Header["Idempotency-Key"] = nil
	}
	return req, nil
}

// maxAnswer bounds what a device reads of one answer, so that a relay cannot fill its memory: the longest page with the longest
// frame in base64, and room for names.
const maxAnswer = 32 << 20

// Answer reads an answer, and returns the error that the relay has told. Fields that it does not know it steps over, so that an
// answer of a newer relay is read.
func (r Route[In, Out]) Answer(resp *http.Response) (out Out, err error) {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(raw) > maxAnswer {
		err = fmt.Errorf("%w: an answer of more than %d bytes", ErrUnavailable, maxAnswer)
	}
	if err != nil {
		return out, err
	}
	if resp.StatusCode/100 != 2 {
		return out, readProblem(resp, raw)
	}
	switch v := any(&out).(type) {
	case *struct{}:
	case *Piece:
		v.Data = raw
		v.Size, err = strconv.ParseInt(resp.Header.Get(sizeHeader), 10, 64)
	default:
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		err = fmt.Errorf("%w: not an answer of a relay: %w", ErrUnavailable, err)
	}
	return out, err
}
