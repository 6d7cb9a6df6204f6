package httpapi

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

// strict reads one JSON object without fields that the value does not have, and with each name once.
func strict(raw []byte, value any) error {
	if !utf8.Valid(raw) { // package json would put another character in its place
		return malformed("not UTF-8")
	}
	if t := bytes.TrimLeft(raw, " \t\r\n"); len(t) == 0 || t[0] != '{' {
		return malformed("not an object of JSON")
	}
	names := make(map[string]bool)
	addNames(names, reflect.TypeOf(value))
	if err := checkNames(raw, names); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(value); err != nil {
		return malformed(err.Error())
	}
	if _, err := d.Token(); err != io.EOF {
		return malformed("more than one value")
	}
	return nil
}

// addNames adds the names of all fields of a type, and of what it consists of.
func addNames(names map[string]bool, t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		addNames(names, t.Elem())
	case reflect.Struct:
		for _, f := range reflect.VisibleFields(t) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
				names[name] = true
				addNames(names, f.Type)
			}
		}
	}
}

// checkNames refuses an object that has a name twice, of which readers take different ones, and a name in another spelling: package
// json takes KEY for key.
func checkNames(raw []byte, names map[string]bool) error {
	type value struct {
		seen   map[string]bool // nil in an array
		isNext bool            // a name is
	}
	var open []*value
	for d := json.NewDecoder(bytes.NewReader(raw)); ; {
		t, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return malformed(err.Error())
		}
		in := &value{}
		if len(open) > 0 {
			in = open[len(open)-1]
		}
		if name, ok := t.(string); ok && in.isNext {
			if in.seen[name] || !names[name] {
				return malformed("a name twice, or of no field")
			}
			in.seen[name], in.isNext = true, false
			continue
		}
		switch t {
		case json.Delim('{'):
			open = append(open, &value{make(map[string]bool), true})
			continue
		case json.Delim('['):
			open = append(open, &value{})
			continue
		case json.Delim('}'), json.Delim(']'):
			if open = open[:len(open)-1]; len(open) == 0 {
				continue
			}
			in = open[len(open)-1]
		}
		in.isNext = in.seen != nil
	}
}
