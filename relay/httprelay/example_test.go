package httprelay_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	"github.com/trefoil-im/trefoil/relay/store"
)

// A relay is mounted under a path of a server that serves other things too. Only who has an account of the server's may publish a person.
func Example() {
	r := relay.New(store.NewMemory(), relay.Options{Name: "chat.example"})
	handler := httprelay.New(r, httprelay.Options{Admit: func(req *http.Request, _ api.Publication) error {
		if req.Header.Get("X-Account") == "" {
			return fmt.Errorf("no account")
		}
		return nil
	}})
	mux := http.NewServeMux()
	mux.Handle("/relay/", http.StripPrefix("/relay", handler))
	server := httptest.NewServer(mux)
	defer server.Close() // waits for the requests

	for _, path := range []string{"/relay/healthz", "/relay/v1/openapi.json", "/relay/v1/nothing"} {
		answer, err := http.Get(server.URL + path)
		if err != nil {
			log.Fatal(err)
		}
		answer.Body.Close()
		fmt.Println(path, answer.StatusCode)
	}
	fmt.Println("WebSockets ended:", handler.Shutdown(context.Background()))
	// Output:
	// /relay/healthz 200
	// /relay/v1/openapi.json 200
	// /relay/v1/nothing 404
	// WebSockets ended: <nil>
}
