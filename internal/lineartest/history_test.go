package lineartest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/anishathalye/porcupine"
)

// Registers are in groups. An operation is on registers of one group, so that the groups can be checked one by one.
const (
	groups    = 8
	groupSize = 2
)

// group is what the registers of a group hold.
type group [groupSize]uint64

// Request is an operation: it returns what each of the registers holds, and if it adds, raises each of them by one.
type Request struct {
	Group     int
	Registers []int // in ascending order
	Adds      bool
}

// model is a group of registers on which each operation happens at one moment between its call and its return.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, groups)
		for _, op := range history {
			g := op.Input.(Request).Group
			parts[g] = append(parts[g], op)
		}
		return parts
	},
	Init: func() any { return group{} },
	Step: func(before, input, output any) (bool, any) {
		held, in := before.(group), input.(Request)
		for i, r := range in.Registers {
			if held[r] != output.([]uint64)[i] {
				return false, before
			}
			if in.Adds {
				held[r]++
			}
		}
		return true, held
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %v", input, output) },
}

// history is a list of operations with logical times. It is safe for concurrent use.
type history struct {
	clock atomic.Int64
	mu    sync.Mutex
	ops   []porcupine.Operation
}

// record carries out an operation and adds it.
func (h *history) record(client int, in Request, do func(Request) ([]uint64, error)) error {
	call := h.clock.Add(1)
	out, err := do(in)
	end := h.clock.Add(1)
	if err != nil {
		return fmt.Errorf("%+v: %w", in, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: end})
	return nil
}

// linearizable reports whether there is an order that explains the history.
func (h *history) linearizable() bool {
	return porcupine.CheckOperations(model, slices.Clone(h.ops))
}

// added returns how often each register was raised.
func (h *history) added() (sum [groups]group) {
	for _, op := range h.ops {
		if in := op.Input.(Request); in.Adds {
			for _, r := range in.Registers {
				sum[in.Group][r]++
			}
		}
	}
	return sum
}
