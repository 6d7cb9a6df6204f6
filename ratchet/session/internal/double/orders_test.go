package double

import (
	"fmt"
	"testing"
)

// G12: whatever is delivered, in any order, with any others lost or repeated, is read exactly once. All orders of up to 6
// messages over up to 3 turns: chains of messages in turn, each begun after some message of the one before was read, and
// what is left of them in every order.
func TestG12AllOrders(t *testing.T) {
	forms(t, func(t *testing.T, f Form) {
		read := 0
		var chains func(sizes []int, left int)
		chains = func(sizes []int, left int) {
			if len(sizes) > 0 {
				read += allTriggers(t, f, sizes)
			}
			for n := 1; n <= left && len(sizes) < 4; n++ {
				chains(append(sizes[:len(sizes):len(sizes)], n), left-n)
			}
		}
		if f == Classic {
			chains(nil, 6)
		} else {
			chains(nil, 5) // TestBraidedMachine goes on
		}
		t.Logf("%d messages read", read)
	})
}

// sent is a message on its way to one of the two ends.
type sent struct {
	to   int
	text string
	m    Message
}

// allTriggers runs the chains with each choice of which message of a chain is read before the answer.
func allTriggers(t *testing.T, f Form, sizes []int) (read int) {
	var run func(ends [2]Ratchet, chain int, waiting []sent)
	run = func(ends [2]Ratchet, chain int, waiting []sent) {
		from := chain % 2
		var fresh []sent
		for i := range sizes[chain] {
			text := fmt.Sprintf("%d.%d", chain, i)
			var m Message
			ends[from], m = encrypt(t, ends[from], text)
			fresh = append(fresh, sent{1 - from, text, m})
		}
		if chain == len(sizes)-1 {
			read += allPermutations(t, ends, append(waiting, fresh...), nil)
			return
		}
		for i, f := range fresh {
			next := ends
			next[f.to] = decrypt(t, ends[f.to], f.m, f.text)
			read++
			rest := append(append(waiting[:len(waiting):len(waiting)], fresh[:i]...), fresh[i+1:]...)
			run(next, chain+1, rest)
		}
	}
	alice, bob := freshRatchets(t, f)
	run([2]Ratchet{alice, bob}, 0, nil)
	return read
}

// allPermutations delivers what is waiting in every order; every prefix of an order is a case in which the rest is lost.
func allPermutations(t *testing.T, ends [2]Ratchet, waiting, done []sent) (read int) {
	for _, d := range done {
		if _, _, err := ends[d.to].Decrypt(d.m); err == nil {
			t.Fatalf("%s is read twice", d.text)
		}
	}
	for i, w := range waiting {
		next := ends
		next[w.to] = decrypt(t, ends[w.to], w.m, w.text)
		rest := append(waiting[:i:i], waiting[i+1:]...)
		read += 1 + allPermutations(t, next, rest, append(done[:len(done):len(done)], w))
	}
	return read
}
