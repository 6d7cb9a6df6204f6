//go:build !js

// Web builds a page that is a chat program: the library as WebAssembly, with its store in the browser.
//
//	go run ./examples/web -out pages
//	go run ./examples/backend -pages pages
//
// and then http://localhost:8080/?name=Ann in a browser. The page takes the same lines as the terminal of examples/chat.
package main

import (
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed index.html
var page []byte

func main() {
	out := flag.String("out", "pages", "the directory that the page is written to")
	flag.Parse()
	if err := build(*out, "build", "./examples/web", "chat.wasm"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// build writes the page and what it needs, with a package as WebAssembly: the program itself (go build) or its tests (go test -c).
func build(out, command, pkg, file string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	support, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		return err
	}
	args := append(strings.Fields(command), "-ldflags=-s -w", "-o", filepath.Join(out, file), pkg)
	c := exec.Command("go", args...)
	c.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	if err := os.WriteFile(filepath.Join(out, "wasm_exec.js"), support, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "index.html"), page, 0o644)
}
