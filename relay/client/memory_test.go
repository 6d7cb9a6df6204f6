//go:build linux

package client_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/porttest"
	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/state"
)

// The memory of a relay, which is a process of its own, and the files of its database hold none of the secrets of devices that met on
// it: neither texts nor names, nor any key that their vaults keep. A key that the process was given is found in each form.
func TestMemoryHoldsNoSecret(t *testing.T) {
	decoy := make([]byte, 32)
	rand.Read(decoy)
	s := settings{Dir: t.TempDir(), Listen: porttest.Address(t), Decoys: []string{hex.EncodeToString(decoy)}}
	process := relayProcess(t, s)
	w := &server{TB: t, url: "http://" + s.Listen, people: make(map[string]*person)}
	ann, bob := w.device("ann", nil), w.device("bob", nil)
	link, public := w.meet(ann, bob), w.identity(ann).Bytes()

	// The process stands still while its memory is read.
	require.NoError(t, process.Process.Signal(syscall.SIGSTOP))
	f := &forms{patterns: make(map[uint64][]pattern), seen: make(map[string]bool)}
	f.add("decoy", decoy)
	keys := 0
	for _, d := range []*device{ann, bob} {
		for what, hidden := range w.hidden(d) {
			for i, key := range hidden {
				if bytes.Count(key, []byte{0}) == len(key) {
					continue // it was erased
				}
				f.add(fmt.Sprintf("%s, key %d of %d bytes", what, i, len(key)), key)
				keys++
			}
		}
	}
	for what, secret := range w.secrets(ann, bob, link) {
		f.add(what, secret)
	}
	require.Greater(t, keys, 100, "keys of devices, sessions and spaces")
	require.NoError(t, f.inMemory(process.Process.Pid))
	for _, form := range []string{"raw", "hexadecimal", "base64"} {
		require.Contains(t, f.seen, "decoy: "+form)
		delete(f.seen, "decoy: "+form)
	}
	require.Empty(t, f.seen, "in memory")

	f.add("identity, which is public", public)
	require.NoError(t, f.inFiles(s.Dir))
	require.Contains(t, f.seen, "identity, which is public: raw")
	delete(f.seen, "identity, which is public: raw")
	delete(f.seen, "identity, which is public: hexadecimal") // in the registration
	require.Empty(t, f.seen, "in files")
}

// hidden returns all keys that the vaults of a device hold.
func (w *server) hidden(d *device) map[string][][]byte {
	out := make(map[string][][]byte)
	keysOf[state.One[session.Person]](w, d, "person", out)
	keysOf[session.StoredDevice](w, d, "device", out)
	keysOf[session.Session](w, d, "session", out)
	keysOf[ratchet.Space](w, d, "space", out)
	return out
}

func keysOf[V state.Value[V]](w *server, d *device, what string, out map[string][][]byte) {
	vault, err := state.Open[V](w.Context(), d.store, d.key, state.Options{})
	require.NoError(w, err)
	ids, err := vault.List(w.Context())
	require.NoError(w, err)
	require.NotEmpty(w, ids, what)
	for _, id := range ids {
		v, err := vault.Load(w.Context(), id)
		require.NoError(w, err)
		out[what] = append(out[what], secrettest.Hidden(v)...)
	}
	require.NotEmpty(w, out[what], what)
}

// forms are patterns that are looked for, by their first eight bytes.
type forms struct {
	patterns map[uint64][]pattern
	begins   [1 << 24]bool // whether one begins with these three bytes
	seen     map[string]bool
}

type pattern struct {
	what  string
	bytes []byte
}

// add has a secret looked for: as it is, in hexadecimal digits, and in base64 wherever it begins in what is encoded.
func (f *forms) add(what string, secret []byte) {
	note := func(form string, b []byte) {
		k := binary.LittleEndian.Uint64(b)
		f.patterns[k] = append(f.patterns[k], pattern{what + ": " + form, b})
		f.begins[k&(1<<24-1)] = true
	}
	note("raw", secret)
	note("hexadecimal", []byte(hex.EncodeToString(secret)))
	note("hexadecimal", []byte(strings.ToUpper(hex.EncodeToString(secret))))
	for shift := range 3 {
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			// The digits that hold bits of what stands before or behind are left out.
			text := e.EncodeToString(append(make([]byte, shift), secret...))
			note("base64", []byte(text[(shift*8+5)/6:(shift+len(secret))*8/6]))
		}
	}
}

// inMemory looks for all patterns in the writable memory of a process.
func (f *forms) inMemory(pid int) error {
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return err
	}
	defer maps.Close()
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return err
	}
	defer memory.Close()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		var from, to uint64
		var rights string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &rights); err != nil {
			return err
		}
		if !strings.HasPrefix(rights, "rw") {
			continue
		}
		region, err := io.ReadAll(io.NewSectionReader(memory, int64(from), int64(to-from)))
		if err != nil {
			return fmt.Errorf("%s: %w", lines.Text(), err)
		}
		f.look(region)
	}
	return lines.Err()
}

// inFiles looks for all patterns in the files of a directory.
func (f *forms) inFiles(dir string) error {
	files, err := os.ReadDir(dir)
	for _, file := range files {
		raw, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			return err
		}
		f.look(raw)
	}
	return err
}

func (f *forms) look(region []byte) {
	for i := 0; i+8 <= len(region); i++ {
		k := binary.LittleEndian.Uint64(region[i:])
		if !f.begins[k&(1<<24-1)] {
			continue
		}
		for _, p := range f.patterns[k] {
			if bytes.HasPrefix(region[i:], p.bytes) {
				f.seen[p.what] = true
			}
		}
	}
}
