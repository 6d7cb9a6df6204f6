package relay_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	"github.com/trefoil-im/trefoil/relay/store"
)

// A chat server is a relay on a database, served over HTTP, and swept now and then. Package sqlrelay has the databases; examples/backend is
// the whole program.
func Example() {
	r := relay.New(store.NewMemory(), relay.Options{Name: "chat.example"})
	server := httptest.NewServer(httprelay.New(r, httprelay.Options{}))
	defer server.Close()
	answer, err := http.Get(server.URL + "/healthz")
	if err != nil {
		panic(err)
	}
	answer.Body.Close()
	fmt.Println(answer.Status)
	swept, err := r.Sweep(context.Background())
	fmt.Println(swept.Messages, "messages expired,", err)
	// Output:
	// 200 OK
	// 0 messages expired, <nil>
}
