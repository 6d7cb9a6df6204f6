package attachment_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/trefoil-im/trefoil/attachment"
)

// A file is sealed into a blob, which goes to a server. The reference goes into a message.
func Example() {
	dir, err := os.MkdirTemp("", "attachment")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	blob, err := os.Create(filepath.Join(dir, "blob"))
	if err != nil {
		panic(err)
	}
	defer blob.Close()

	ref, err := attachment.Seal(blob, strings.NewReader("a photo of a knot"))
	if err != nil {
		panic(err)
	}
	message := ref.Marshal() // it holds the key

	received, err := attachment.Parse(message)
	if err != nil {
		panic(err)
	}
	content, err := received.Open(blob)
	if err != nil {
		panic(err)
	}
	if _, err := content.Seek(-4, io.SeekEnd); err != nil {
		panic(err)
	}
	end, err := io.ReadAll(content)
	if err != nil {
		panic(err)
	}
	fmt.Println(received, "of which the end is", string(end))
	// Output: attachment of 17 bytes of which the end is knot
}
