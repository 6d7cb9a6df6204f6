package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/store"
)

// told returns the error that a device makes of one.
func told(t *testing.T, err error) (*httptest.ResponseRecorder, error) {
	w := httptest.NewRecorder()
	require.NoError(t, NewProblem(err).Write(w))
	return w, readProblem(w.Result(), w.Body.Bytes())
}

// A device gets the error that the relay has, with its class and its data.
func TestProblemsCarryErrors(t *testing.T) {
	for _, p := range problems {
		w, err := told(t, fmt.Errorf("%w: detail", p.class))
		require.ErrorIs(t, err, p.class, p.code)
		require.Equal(t, p.status, w.Code)
		require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
		for _, other := range problems {
			if other.class != p.class && other.class != api.ErrForbidden && other.class != api.ErrMalformed {
				require.NotErrorIs(t, err, other.class, p.code)
			}
		}
	}
	for _, want := range []error{&api.StaleError{Current: 7}, &api.DeletedError{Deletion: api.Deletion{Person: keypair.GenerateSigningKey().Public(), Version: 3, Signature: []byte{1}}},
		&api.DevicesError{Missing: []api.DeviceID{{1}}, Extra: []api.DeviceID{{2}, {3}}},
		&api.MembersError{Unknown: []key.Address{{1}}, Leaving: []key.Address{{2}}}, &api.BeforeJoinedError{First: 3}} {
		_, err := told(t, fmt.Errorf("wrapped: %w", want))
		require.Equal(t, want, err)
	}
	w, err := told(t, ErrSlowDown)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	require.Equal(t, &RetryError{ErrSlowDown, time.Second}, err)
	w, _ = told(t, ErrTooOld)
	require.NotEmpty(t, w.Header().Get("Upgrade"), "RFC 9110 wants it")
	w, _ = told(t, api.ErrUnauthenticated)
	require.NotEmpty(t, w.Header().Get("WWW-Authenticate"), "RFC 9110 wants it")
}

// What is wrong behind the relay is nobody's business in front of it.
func TestProblemsTellNothingOfTheStore(t *testing.T) {
	w, err := told(t, fmt.Errorf("%w: password of the database", store.ErrBusy))
	require.ErrorIs(t, err, ErrUnavailable)
	require.NotContains(t, w.Body.String(), "password")
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
}

// What others answer in place of the relay is worth trying again.
func TestAnswersOfOthers(t *testing.T) {
	for _, c := range []struct {
		kind, body string
		status     int
	}{{"text/html", "<p>bad gateway", 502}, {typeProblem, "{", 400}, {typeProblem, `{"type":"tag:trefoil.im,2026:relay/of-the-future"}`, 400}, {"", "", 302}} {
		resp := &http.Response{StatusCode: c.status, Header: http.Header{"Content-Type": {c.kind}, "Retry-After": {"99999999"}}}
		err := readProblem(resp, []byte(c.body))
		require.ErrorIs(t, err, ErrUnavailable)
		require.Equal(t, &RetryError{ErrUnavailable, maxPause}, err)
	}
}

// The codes are listed in the documents, with their statuses, and nowhere else are others.
func TestProblemsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "HTTP.md"))
	require.NoError(t, err)
	var d struct {
		Components struct {
			Schemas struct {
				Problem struct {
					Properties struct {
						Type struct{ Enum []string }
					}
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal(OpenAPI(), &d))
	var types []string
	for _, p := range problems {
		require.Contains(t, string(doc), fmt.Sprintf("| `%s` | %d |", p.code, p.status))
		types = append(types, typePrefix+p.code)
	}
	require.ElementsMatch(t, types, d.Components.Schemas.Problem.Properties.Type.Enum)
}
