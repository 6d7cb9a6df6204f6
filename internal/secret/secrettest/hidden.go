package secrettest

import (
	"reflect"
	"unsafe"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// shortest is the length in bytes of the shortest key that Hidden returns. What is shorter is a counter or a flag.
const shortest = 16

// Hidden returns the bytes that a value hides, at any depth: what each secret.Bytes and secret.Box in it holds, if it is bytes or has
// bytes in it. It opens what nothing else does, to look for it elsewhere.
func Hidden(v any) [][]byte {
	h := hidden{seen: make(map[unsafe.Pointer]bool)}
	h.walk(open(reflect.ValueOf(v)), false)
	return h.found
}

type hidden struct {
	seen  map[unsafe.Pointer]bool
	found [][]byte
}

// open returns an addressable copy.
func open(v reflect.Value) reflect.Value {
	if !v.IsValid() {
		return v
	}
	p := reflect.New(v.Type()).Elem()
	p.Set(v)
	return p
}

// home is the package whose types hide values.
var home = reflect.TypeFor[secret.Bytes]().PkgPath()

// walk goes through an addressable value. Of one that is in a secret it takes all bytes.
func (h *hidden) walk(v reflect.Value, isSecret bool) {
	if !v.IsValid() {
		return
	}
	if k, ok := v.Interface().(interface{ Bytes() []byte }); ok && isSecret && !(v.Kind() == reflect.Pointer && v.IsNil()) {
		h.found = append(h.found, k.Bytes()) // a private key; beside them it holds its public key
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if p := v.UnsafePointer(); p != nil && !h.seen[p] {
			h.seen[p] = true
			h.walk(v.Elem(), isSecret)
		}
	case reflect.Interface:
		if !v.IsNil() {
			h.walk(open(v.Elem()), isSecret)
		}
	case reflect.Map:
		for all := v.MapRange(); all.Next(); {
			h.walk(open(all.Key()), isSecret)
			h.walk(open(all.Value()), isSecret)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if isSecret && v.Len() >= shortest {
				h.found = append(h.found, append([]byte(nil), v.Bytes()...))
			}
			return
		}
		for i := range v.Len() {
			h.walk(v.Index(i), isSecret)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			// A field that is not exported can be read where it lies.
			f := reflect.NewAt(v.Field(i).Type(), v.Field(i).Addr().UnsafePointer()).Elem()
			if f.Kind() != reflect.Func {
				h.walk(f, isSecret)
			} else if v.Type().PkgPath() == home && !f.IsNil() {
				h.walk(open(f.Call(nil)[0]), true)
			}
		}
	}
}
