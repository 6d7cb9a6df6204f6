package ratchet

import (
	"fmt"
	"testing"
)

func (x *node) dump(t testing.TB) {
	d, _ := newEdit(x.space, x.net.now, Options{})
	_, r, ok := d.preferred()
	me := d.st.me()
	a := d.st.asking.Value()
	fmt.Printf("== %s index %d phase %v ok %v over %v joining %v retained %d mail %d orphans %d\n", x.name, me.index, x.phase(), ok, a.Over(), a.Joining(), len(x.retained), len(x.mailbox), 0)
	if ok {
		e, _ := d.st.forest.Preferred()
		fmt.Printf("   preferred gen %d %v maker %d\n", e.Generation(), e.ID(), e.Maker().Index)
		for i := range r.All() {
			for _, b := range r.Bindings(i) {
				fmt.Printf("   %d %x heard %v named %v answered %d own %v\n", i, b.Body[:4], b.Heard(), r.Named(i, b.Body), b.Answered, b.Maker == me.maker())
			}
		}
	}
	count := map[string]int{}
	for _, e := range x.events {
		count[e.String()]++
	}
	for s, n := range count {
		fmt.Println("   event", n, s)
	}
	count = map[string]int{}
	for _, e := range x.reasons {
		count[e.Error()]++
	}
	for s, n := range count {
		fmt.Println("   discarded", n, s)
	}
	count = map[string]int{}
	for _, f := range x.retained {
		n, ok := d.st.orphans.Value().Get(f.name)
		count[fmt.Sprintf("type %d noted %v opened %v sender %d stranger %v", f.data[0], ok, n.Opened, n.Sender, n.Stranger)]++
	}
	for s, n := range count {
		fmt.Println("   retained", n, s)
	}
}
