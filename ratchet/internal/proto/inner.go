package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// Inner is what a message says (§7). Fields that are zero are not there.
type Inner struct {
	Time         uint64         // of sending, milliseconds since 1970: shown, and decides nothing
	Introduction Introduction   // the sender's own
	Update       Update         // the sender's
	Introduced   []Introduction // of others, by ascending index
	Answered     uint64         // counter of the sender's request that was answered
	Expiry       uint64         // milliseconds after reading, which programs may honour
	Shown        []ShownRequest // requests that the sender answered, by ascending index
	Statement    bool           // the plaintext is the encoding of a Statement
	Plaintext    []byte         // at most MaxPlaintext bytes
	padding      int            // number of bytes of padding, with the 0x80
}

// Flags of an inner content.
const (
	flagIntroduction = 1 << iota
	flagUpdate
	flagIntroduced
	flagStatement
	flagAnswered
	flagExpiry
	flagPadded
	flagShown
)

func (n Inner) flags() (f uint8) {
	for i, set := range []bool{!n.Introduction.IsZero(), !n.Update.IsZero(), len(n.Introduced) > 0, n.Statement, n.Answered != 0,
		n.Expiry != 0, n.padding > 0, len(n.Shown) > 0} {
		if set {
			f |= 1 << i
		}
	}
	return f
}

// check refuses what is beyond a limit or out of order.
func (n Inner) check() error {
	ok := len(n.Plaintext) <= MaxPlaintext && len(n.Introduced) <= MaxIntroduced && len(n.Shown) <= MaxShown
	for i := 1; i < len(n.Introduced); i++ {
		ok = ok && n.Introduced[i-1].Index() < n.Introduced[i].Index()
	}
	for i := 1; i < len(n.Shown); i++ {
		ok = ok && n.Shown[i-1].Index < n.Shown[i].Index
	}
	if !ok {
		return fmt.Errorf("%w: content of a message", wire.ErrMalformed)
	}
	return nil
}

// write appends u8 flags ‖ u64 time ‖ [vec16 introduction] ‖ [vec16 update] ‖ [u8 number ‖ vec16 introduction…] ‖ [u64 counter]
// ‖ [u64 expiry] ‖ [u8 number ‖ asked…] ‖ plaintext ‖ [0x80 ‖ 00…].
func (n Inner) write(w *wire.Writer) {
	w.U8(n.flags())
	w.U64(n.Time)
	if !n.Introduction.IsZero() {
		w.Vec16(n.Introduction.Encode())
	}
	if !n.Update.IsZero() {
		w.Vec16(n.Update.Encode())
	}
	if len(n.Introduced) > 0 {
		w.U8(uint8(len(n.Introduced)))
		for _, i := range n.Introduced {
			w.Vec16(i.Encode())
		}
	}
	if n.Answered != 0 {
		w.U64(n.Answered)
	}
	if n.Expiry != 0 {
		w.U64(n.Expiry)
	}
	if len(n.Shown) > 0 {
		w.U8(uint8(len(n.Shown)))
		for _, s := range n.Shown {
			s.write(w)
		}
	}
	w.Fixed(n.Plaintext)
	if n.padding > 0 {
		w.U8(padMark)
		w.Fixed(make([]byte, n.padding-1))
	}
}

// parseInner reads an inner content. Its plaintext is a part of b.
func parseInner(b []byte) (n Inner, err error) {
	r := wire.Owning(b)
	flags := r.U8()
	has := func(flag uint8) bool { return r.Err() == nil && flags&flag != 0 }
	n.Time = r.U64()
	if has(flagIntroduction) {
		n.Introduction = readNested(r, r.Vec16(MaxIntroduction), readIntroduction)
	}
	if has(flagUpdate) {
		n.Update = readNested(r, r.Vec16(maxUpdate), readUpdate)
	}
	if has(flagIntroduced) {
		for k := readNumber(r, MaxIntroduced); k > 0 && r.Err() == nil; k-- {
			n.Introduced = append(n.Introduced, readNested(r, r.Vec16(MaxIntroduction), readIntroduction))
		}
	}
	if has(flagAnswered) {
		n.Answered = readNonZero(r)
	}
	if has(flagExpiry) {
		n.Expiry = readNonZero(r)
	}
	if has(flagShown) {
		for k := readNumber(r, MaxShown); k > 0 && r.Err() == nil; k-- {
			n.Shown = append(n.Shown, readShownRequest(r))
		}
	}
	n.Statement = has(flagStatement)
	n.Plaintext = r.Rest()
	if has(flagPadded) {
		n.Plaintext, n.padding = unpad(n.Plaintext)
		if n.padding == 0 {
			r.Fail("padding")
		}
	}
	if n.Statement && len(n.Plaintext) == 0 {
		r.Fail("an empty statement")
	}
	if err = r.Done(); err == nil {
		err = n.check()
	}
	if err != nil {
		return Inner{}, err
	}
	return n, nil
}

// readNumber reads the number of elements of a field that is there, in one byte.
func readNumber(r *wire.Reader, max int) int {
	n := int(r.U8())
	if r.Err() == nil && (n == 0 || n > max) {
		r.Fail("number of elements")
	}
	return n
}

// readNonZero reads a number of a field that is there.
func readNonZero(r *wire.Reader) uint64 {
	v := r.U64()
	if r.Err() == nil && v == 0 {
		r.Fail("an empty field")
	}
	return v
}
