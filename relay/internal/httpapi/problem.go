package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/trefoil-im/trefoil/relay/api"
)

// Classes of errors of the line, beside those of package api.
var (
	// ErrRoute: there is no such route. ErrMethod: it has other methods.
	ErrRoute  = errors.New("relay: no such route")
	ErrMethod = errors.New("relay: not a method of this route")
	// ErrTooLong: the body is longer than any that the route takes. It is an api.ErrMalformed.
	ErrTooLong = fmt.Errorf("%w: the body is too long", api.ErrMalformed)
	// ErrMediaType: the body has another type than the route takes. It is an api.ErrMalformed.
	ErrMediaType = fmt.Errorf("%w: another type of body is expected", api.ErrMalformed)
	// ErrTooOld: the device speaks a version that this relay understands no longer.
	ErrTooOld = errors.New("relay: the device needs a newer release")
	// ErrSlowDown: the device has too many requests under way.
	ErrSlowDown = errors.New("relay: too many requests at once")
	// ErrUnavailable: the relay has no room now, or its store does not answer. Nobody knows whether the request was carried out;
	// it may be made again as it was.
	ErrUnavailable = errors.New("relay: not available now")
	// ErrInternal: the relay has a fault.
	ErrInternal = errors.New("relay: internal error")
)

// typePrefix is the first part of the type of each problem; its code follows. It is a tag URI (RFC 4151): a name, not an address.
const typePrefix = "tag:trefoil.im,2026:relay/"

// problems is all problems that there are. The codes are part of the protocol, and docs/HTTP.md lists them. The first class that an
// error has counts.
var problems = []struct {
	code   string
	status int
	class  error
}{
	{"too-long", http.StatusRequestEntityTooLarge, ErrTooLong},
	{"media-type", http.StatusUnsupportedMediaType, ErrMediaType},
	{"malformed", http.StatusBadRequest, api.ErrMalformed},
	{"unauthenticated", http.StatusUnauthorized, api.ErrUnauthenticated},
	{"revoked", http.StatusForbidden, api.ErrRevoked},
	{"forbidden", http.StatusForbidden, api.ErrForbidden},
	{"not-found", http.StatusNotFound, api.ErrNotFound},
	{"before-joined", http.StatusNotFound, api.ErrBeforeJoined},
	{"deleted", http.StatusGone, api.ErrDeleted},
	{"no-route", http.StatusNotFound, ErrRoute},
	{"no-method", http.StatusMethodNotAllowed, ErrMethod},
	{"exists", http.StatusConflict, api.ErrExists},
	{"reused", http.StatusConflict, api.ErrReused},
	{"stale", http.StatusConflict, api.ErrStale},
	{"unverified", http.StatusUnprocessableEntity, api.ErrUnverified},
	{"devices", http.StatusUnprocessableEntity, api.ErrDevices},
	{"members", http.StatusUnprocessableEntity, api.ErrMembers},
	{"too-old", http.StatusUpgradeRequired, ErrTooOld},
	{"quota", http.StatusTooManyRequests, api.ErrQuota},
	{"slow-down", http.StatusTooManyRequests, ErrSlowDown},
	{"internal", http.StatusInternalServerError, ErrInternal},
	{"unavailable", http.StatusServiceUnavailable, ErrUnavailable},
}

// pause is after how many seconds a request is worth trying again that found no room.
const pause = 1

// Problem is the document that tells of an error (RFC 9457).
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`

	*api.StaleError        // of "stale"
	*api.DeletedError      // of "deleted"
	*api.DevicesError      // of "devices"
	*api.MembersError      // of "members"
	*api.BeforeJoinedError // of "before-joined"
}

// NewProblem returns the problem that an error is: "unavailable" if it has none of the classes, and no detail then, since what went
// wrong behind the relay is nobody else's.
func NewProblem(err error) Problem {
	for _, p := range problems {
		if !errors.Is(err, p.class) {
			continue
		}
		out := Problem{Type: typePrefix + p.code, Title: strings.TrimPrefix(p.class.Error(), "relay: "), Status: p.status}
		out.Detail = strings.TrimPrefix(err.Error(), "relay: ")
		errors.As(err, &out.StaleError)
		errors.As(err, &out.DeletedError)
		errors.As(err, &out.DevicesError)
		errors.As(err, &out.MembersError)
		errors.As(err, &out.BeforeJoinedError)
		return out
	}
	return Problem{Type: typePrefix + "unavailable", Title: strings.TrimPrefix(ErrUnavailable.Error(), "relay: "), Status: http.StatusServiceUnavailable}
}

// Code returns the last part of the type.
func (p Problem) Code() string { return strings.TrimPrefix(p.Type, typePrefix) }

// Write answers a request with the problem.
func (p Problem) Write(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Content-Type", typeProblem)
	switch p.Code() {
	case "slow-down", "unavailable":
		h.Set("Retry-After", strconv.Itoa(pause))
	case "unauthenticated":
		h.Set("WWW-Authenticate", "Bearer")
	case "too-old":
		h.Set("Upgrade", fmt.Sprintf("trefoil-relay/%d", Version))
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	w.WriteHeader(p.Status)
	_, err = w.Write(raw)
	return err
}

// RetryError says after how long a request is worth trying again.
type RetryError struct {
	Class error // ErrSlowDown or ErrUnavailable
	After time.Duration
}

// Error implements error.
func (e *RetryError) Error() string { return fmt.Sprintf("%v: again after %v", e.Class, e.After) }

// Unwrap returns the class.
func (e *RetryError) Unwrap() error { return e.Class }

// maxPause bounds for how long a relay can make a device wait.
const maxPause = 5 * time.Minute

// readProblem returns the error that an answer tells of. What does not come from a relay, such as the error of a proxy, is
// ErrUnavailable.
func readProblem(resp *http.Response, raw []byte) error {
	var p Problem
	if t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || t != typeProblem || json.Unmarshal(raw, &p) != nil {
		p = Problem{Type: typePrefix + "unavailable"}
	}
	class := ErrUnavailable
	for _, known := range problems {
		if known.code == p.Code() {
			class = known.class
		}
	}
	switch class {
	case ErrUnavailable, ErrSlowDown, ErrInternal:
		seconds, _ := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31)
		return &RetryError{class, min(max(time.Duration(seconds), 1)*time.Second, maxPause)}
	case api.ErrStale:
		return given(p.StaleError)
	case api.ErrDeleted:
		return given(p.DeletedError)
	case api.ErrDevices:
		return given(p.DevicesError)
	case api.ErrMembers:
		return given(p.MembersError)
	case api.ErrBeforeJoined:
		return given(p.BeforeJoinedError)
	}
	return fmt.Errorf("%w: %.200q", class, p.Detail)
}

// given returns what a problem says beside its type, or the zero one if it says nothing.
func given[T any, E interface {
	*T
	error
}](e E) error {
	if e == nil {
		e = new(T)
	}
	return e
}
