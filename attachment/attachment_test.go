package attachment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
)

// content returns n bytes that differ everywhere.
func content(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += sha256.Size {
		sum := sha256.Sum256(fmt.Append(nil, i))
		copy(b[i:], sum[:])
	}
	return b
}

func sealed(t require.TestingT, content []byte) (Ref, []byte) {
	var blob bytes.Buffer
	ref, err := Seal(&blob, bytes.NewReader(content))
	require.NoError(t, err)
	require.Equal(t, int64(len(content)), ref.Size())
	require.Equal(t, int64(blob.Len()), ref.BlobSize())
	return ref, blob.Bytes()
}

// opened reads a blob in both ways, which must agree.
func opened(t require.TestingT, ref Ref, blob []byte) ([]byte, error) {
	var whole bytes.Buffer
	err := ref.Decrypt(&whole, bytes.NewReader(blob))
	var read []byte
	reader, randomly := ref.Open(bytes.NewReader(blob))
	if randomly == nil {
		read, randomly = io.ReadAll(reader)
	}
	if err == nil && randomly == nil {
		require.True(t, bytes.Equal(whole.Bytes(), read))
		return read, nil
	}
	require.Error(t, err)
	if randomly == nil { // pages that no chunk was read through are verified when they are needed
		require.ErrorIs(t, err, ErrAltered)
	}
	return nil, err
}

func TestSizes(t *testing.T) {
	for _, n := range []int{0, 1, 1023, 1024, 1025, chunkSize - 1, chunkSize, chunkSize + 1, 3 * chunkSize, 10*chunkSize + 7} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			plain := content(n)
			ref, blob := sealed(t, plain)
			got, err := opened(t, ref, blob)
			require.NoError(t, err)
			require.True(t, bytes.Equal(plain, got))

			reader, err := ref.Open(bytes.NewReader(blob))
			require.NoError(t, err)
			require.Equal(t, int64(n), reader.Size())
			require.NoError(t, iotest.TestReader(reader, plain))

			again, err := Parse(ref.Marshal())
			require.NoError(t, err)
			require.True(t, ref.Equal(again))
			require.Len(t, ref.Marshal(), RefSize)
		})
	}
}

// More chunks than a page has: the file is read across the page and behind it.
func TestPages(t *testing.T) {
	plain := bytes.Repeat(content(chunkSize + 1)[1:], pageChunks+5)
	ref, blob := sealed(t, plain)
	require.Equal(t, int64(2), layoutOf(ref.Size()).pages)
	sum := sha256.New()
	require.NoError(t, ref.Decrypt(sum, bytes.NewReader(blob)))
	want := sha256.Sum256(plain)
	require.Equal(t, want[:], sum.Sum(nil))

	reader, err := ref.Open(bytes.NewReader(blob))
	require.NoError(t, err)
	for _, at := range []int{pageChunks*chunkSize - 7, 5, len(plain) - 9, pageChunks * chunkSize} {
		b := make([]byte, 9)
		_, err := reader.ReadAt(b, int64(at))
		require.NoError(t, err)
		require.Equal(t, plain[at:at+9], b)
	}

	// The hashes of the first page are altered: what the second covers is still read.
	offset, _ := layoutOf(ref.Size()).page(0)
	blob[offset] ^= 1
	reader, err = ref.Open(bytes.NewReader(blob))
	require.NoError(t, err)
	_, err = reader.ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, ErrAltered)
	_, err = reader.ReadAt(make([]byte, 1), int64(len(plain)-1))
	require.NoError(t, err)
	_, err = reader.ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, ErrAltered, "a page that failed is not remembered as verified")
}

// Whatever bit of a blob is altered, and wherever it is cut, its content is not accepted.
func TestAltered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain := content(rapid.IntRange(0, 3*chunkSize).Draw(t, "size"))
		ref, blob := sealed(t, plain)
		at := rapid.IntRange(0, len(blob)-1).Draw(t, "at")
		altered := bytes.Clone(blob)
		altered[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		_, err := opened(t, ref, altered)
		require.ErrorIs(t, err, ErrAltered)

		_, err = opened(t, ref, blob[:at])
		require.ErrorIs(t, err, ErrIncomplete)
		_, err = ref.Open(bytes.NewReader(blob[:at]))
		require.ErrorIs(t, err, ErrIncomplete)

		// A blob that another Ref leads to, of the same size.
		other, _ := sealed(t, plain)
		_, err = opened(t, other, blob)
		require.ErrorIs(t, err, ErrAltered)
	})
}

// A member knows the key. What it encrypts anew under that key does not open with the Ref of somebody else.
func TestMemberCannotReplaceABlob(t *testing.T) {
	plain := content(2*chunkSize + 5)
	ref, _ := sealed(t, plain)
	plain[chunkSize+3] ^= 1
	var forged bytes.Buffer
	_, err := seal(&forged, bytes.NewReader(plain), ref.key)
	require.NoError(t, err)
	_, err = opened(t, ref, forged.Bytes())
	require.ErrorIs(t, err, ErrAltered)
	_, err = ref.Open(bytes.NewReader(forged.Bytes()))
	require.ErrorIs(t, err, ErrAltered, "found before anything was read")
}

// Swapped chunks, and a last chunk in place of another, are found although each was encrypted by the maker.
func TestChunksHaveTheirPlace(t *testing.T) {
	ref, blob := sealed(t, content(3*chunkSize))
	const step = chunkSize + tagSize
	swapped := append(append(append([]byte{}, blob[step:2*step]...), blob[:step]...), blob[2*step:]...)
	_, err := opened(t, ref, swapped)
	require.ErrorIs(t, err, ErrAltered)
}

func TestReadersAreConcurrent(t *testing.T) {
	plain := content(5 * chunkSize)
	ref, blob := sealed(t, plain)
	reader, err := ref.Open(bytes.NewReader(blob))
	require.NoError(t, err)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			b := make([]byte, chunkSize)
			for j := range 20 {
				at := (i*31 + j*17) * 999 % (len(plain) - len(b))
				if _, err := reader.ReadAt(b, int64(at)); err != nil || !bytes.Equal(b, plain[at:at+len(b)]) {
					t.Errorf("read %d bytes at %d: %v", len(b), at, err)
				}
			}
		})
	}
	wait.Wait()
}

// Errors of content and blob come back as they are, at whatever call they happen.
func TestErrorsOfOthers(t *testing.T) {
	failure := errors.New("failure")
	plain := content(2*chunkSize + 1)
	ref, blob := sealed(t, plain)
	for n := range 5 {
		_, err := Seal(&failing{after: n, err: failure}, bytes.NewReader(plain))
		require.ErrorIs(t, err, failure)
	}
	for n := range 3 {
		require.ErrorIs(t, ref.Decrypt(&failing{after: n, err: failure}, bytes.NewReader(blob)), failure)
	}
	_, err := Seal(io.Discard, io.MultiReader(bytes.NewReader(plain), iotest.ErrReader(failure)))
	require.ErrorIs(t, err, failure)
	broken := io.MultiReader(bytes.NewReader(plain[:100]), &once{err: io.ErrUnexpectedEOF}, bytes.NewReader(plain))
	_, err = Seal(io.Discard, broken)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "content that broke off is not sealed as if it were whole")
	err = ref.Decrypt(io.Discard, io.MultiReader(bytes.NewReader(blob[:chunkSize]), iotest.ErrReader(failure)))
	require.ErrorIs(t, err, failure)
}

// failing is a writer that fails after some calls.
type failing struct {
	after int
	err   error
}

func (f *failing) Write(b []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, f.err
	}
	return len(b), nil
}

// once fails once, and is at its end from then on.
type once struct{ err error }

func (o *once) Read([]byte) (int, error) {
	err := o.err
	o.err = io.EOF
	return 0, err
}

func TestTooLarge(t *testing.T) {
	src := &padder{content: iotest.OneByteReader(bytes.NewReader([]byte{1})), size: MaxSize}
	_, err := src.Read(make([]byte, 1))
	require.ErrorIs(t, err, ErrTooLarge)

	ref, _ := sealed(t, nil)
	ref.size = MaxSize + 1
	_, err = Parse(ref.Marshal())
	require.ErrorIs(t, err, ErrMalformed)
	ref.size = MaxSize
	_, err = Parse(ref.Marshal())
	require.NoError(t, err)
}

func TestZeroRef(t *testing.T) {
	_, err := Ref{}.Open(bytes.NewReader(nil))
	require.ErrorIs(t, err, ErrMalformed)
	require.ErrorIs(t, Ref{}.Decrypt(io.Discard, bytes.NewReader(nil)), ErrMalformed)
}

func TestPadding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, MaxSize).Draw(t, "size")
		p := padded(n)
		require.GreaterOrEqual(t, p, max(n, minPadded))
		require.LessOrEqual(t, float64(p), 1.12*float64(max(n, minPadded)))
		require.Equal(t, p, padded(p), "padding pads nothing further")
	})
}

// A Ref and a Reader show neither key nor content.
func TestShowsNothing(t *testing.T) {
	plain := content(100)
	ref, blob := sealed(t, plain)
	reader, err := ref.Open(bytes.NewReader(nil))
	require.ErrorIs(t, err, ErrIncomplete)
	require.Nil(t, reader)
	reader, err = ref.Open(bytes.NewReader(blob))
	require.NoError(t, err)
	_, err = reader.Read(make([]byte, 10))
	require.NoError(t, err)
	secrettest.Check(t, ref, ref.key.Expose())
	secrettest.Check(t, reader, ref.key.Expose(), plain)
}

// The format does not change: a blob of a fixed key.
func TestGolden(t *testing.T) {
	var blob bytes.Buffer
	ref, err := seal(&blob, bytes.NewReader(content(chunkSize+1000)), secret.New(bytes.Repeat([]byte{7}, keySize)))
	require.NoError(t, err)
	sum := sha256.Sum256(blob.Bytes())
	require.Equal(t, goldenRef, hex.EncodeToString(ref.Marshal()))
	require.Equal(t, goldenBlob, hex.EncodeToString(sum[:]))
}

func FuzzParse(f *testing.F) {
	ref, _ := sealed(f, content(10))
	wiretest.Fuzz(f, Parse, Ref.Marshal, ref.Marshal(), nil)
}

// Whatever the blob is, opening it does not panic, and what is read is the content or an error.
func FuzzOpen(f *testing.F) {
	plain := content(2000)
	ref, blob := sealed(f, plain)
	f.Add(blob)
	f.Add(blob[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := opened(t, ref, b)
		if err == nil {
			require.True(t, bytes.HasPrefix(b, blob) && bytes.Equal(plain, got))
		}
	})
}
