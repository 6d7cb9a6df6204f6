package orphans

import "iter"

// ordered is a key that says how it compares with another one of its type: less than 0, 0 or more.
type ordered[K any] interface{ compare(K) int }

// sorted is a persistent map in ascending order of its keys: put and drop return a new one that shares all but the path to
// what changed, in a time that grows with the logarithm of its size. The zero value is empty. (It is an AVL tree:
// Adelson-Velsky and Landis, 1962.)
type sorted[K ordered[K], V any] struct {
	root *branch[K, V]
	size int
}

type branch[K ordered[K], V any] struct {
	key         K
	value       V
	left, right *branch[K, V]
	height      int8
}

// get returns the value at k.
func (s sorted[K, V]) get(k K) (v V, ok bool) {
	for b := s.root; b != nil; {
		switch c := k.compare(b.key); {
		case c == 0:
			return b.value, true
		case c < 0:
			b = b.left
		default:
			b = b.right
		}
	}
	return v, false
}

// has reports whether there is a value at k.
func (s sorted[K, V]) has(k K) bool {
	_, ok := s.get(k)
	return ok
}

// put returns the map with v at k.
func (s sorted[K, V]) put(k K, v V) sorted[K, V] {
	if !s.has(k) {
		s.size++
	}
	s.root = s.root.put(k, v)
	return s
}

// drop returns the map without k.
func (s sorted[K, V]) drop(k K) sorted[K, V] {
	if s.has(k) {
		s.root = s.root.drop(k)
		s.size--
	}
	return s
}

// first returns the smallest key and its value.
func (s sorted[K, V]) first() (k K, v V, ok bool) {
	for b := s.root; b != nil; b = b.left {
		k, v, ok = b.key, b.value, true
	}
	return k, v, ok
}

// up yields the entries in ascending order.
func (s sorted[K, V]) up() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { s.root.up(yield) }
}

// from yields the entries whose keys are not below k, in ascending order.
func (s sorted[K, V]) from(k K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { s.root.from(k, yield) }
}

// below yields the entries whose keys are below k, in descending order.
func (s sorted[K, V]) below(k K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { s.root.below(k, yield) }
}

func (b *branch[K, V]) up(yield func(K, V) bool) bool {
	return b == nil || b.left.up(yield) && yield(b.key, b.value) && b.right.up(yield)
}

func (b *branch[K, V]) from(k K, yield func(K, V) bool) bool {
	if b == nil {
		return true
	}
	if b.key.compare(k) < 0 {
		return b.right.from(k, yield)
	}
	return b.left.from(k, yield) && yield(b.key, b.value) && b.right.from(k, yield)
}

func (b *branch[K, V]) below(k K, yield func(K, V) bool) bool {
	if b == nil {
		return true
	}
	if b.key.compare(k) >= 0 {
		return b.left.below(k, yield)
	}
	return b.right.below(k, yield) && yield(b.key, b.value) && b.left.below(k, yield)
}

func (b *branch[K, V]) tall() int8 {
	if b == nil {
		return 0
	}
	return b.height
}

// with returns a copy of b with these children, balanced if their heights differ by at most 2.
func (b *branch[K, V]) with(left, right *branch[K, V]) *branch[K, V] {
	switch {
	case left.tall() > right.tall()+1:
		if left.left.tall() < left.right.tall() {
			return left.right.join(left.join(left.left, left.right.left), b.join(left.right.right, right))
		}
		return left.join(left.left, b.join(left.right, right))
	case right.tall() > left.tall()+1:
		if right.right.tall() < right.left.tall() {
			return right.left.join(b.join(left, right.left.left), right.join(right.left.right, right.right))
		}
		return right.join(b.join(left, right.left), right.right)
	}
	return b.join(left, right)
}

// join returns a copy of b with these children.
func (b *branch[K, V]) join(left, right *branch[K, V]) *branch[K, V] {
	return &branch[K, V]{b.key, b.value, left, right, 1 + max(left.tall(), right.tall())}
}

func (b *branch[K, V]) put(k K, v V) *branch[K, V] {
	if b == nil {
		return &branch[K, V]{key: k, value: v, height: 1}
	}
	switch c := k.compare(b.key); {
	case c < 0:
		return b.with(b.left.put(k, v), b.right)
	case c > 0:
		return b.with(b.left, b.right.put(k, v))
	}
	return &branch[K, V]{k, v, b.left, b.right, b.height}
}

func (b *branch[K, V]) drop(k K) *branch[K, V] {
	switch c := k.compare(b.key); {
	case c < 0:
		return b.with(b.left.drop(k), b.right)
	case c > 0:
		return b.with(b.left, b.right.drop(k))
	case b.left == nil:
		return b.right
	case b.right == nil:
		return b.left
	}
	next := b.right
	for next.left != nil {
		next = next.left
	}
	return next.with(b.left, b.right.drop(next.key))
}
