package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/state"
)

// maildir is a transport over a directory that all devices can reach, such as a shared drive. Of each device it has a folder, in which
// there is a folder for each topic that the device reads. A frame is a file in it; its name orders it and says who put it there.
type maildir struct{ dir, device string }

// Post puts a copy of the frame before everybody else who reads the topic. A file appears under its name when it is whole.
func (m maildir) Post(ctx context.Context, topic string, frame []byte) state.Delivery {
	readers, err := filepath.Glob(filepath.Join(m.dir, "*", topic))
	if err != nil || ctx.Err() != nil {
		return state.RetryAfter(0)
	}
	for _, folder := range readers {
		if filepath.Base(filepath.Dir(folder)) == m.device {
			continue
		}
		if err := write(folder, m.device, frame); err != nil {
			return state.RetryAfter(0) // who has it already gets it twice, which is no harm
		}
	}
	return state.Delivered()
}

func write(folder, from string, frame []byte) error {
	random := make([]byte, 8)
	rand.Read(random)
	name := time.Now().UTC().Format("20060102T150405.000000000") + "-" + hex.EncodeToString(random) + "-" + from
	draft := filepath.Join(folder, "."+name)
	if err := os.WriteFile(draft, frame, 0o600); err != nil {
		return err
	}
	return os.Rename(draft, filepath.Join(folder, name))
}

// Subscribe makes the folder.
func (m maildir) Subscribe(ctx context.Context, topic string) error {
	return errors.Join(os.MkdirAll(filepath.Join(m.dir, m.device, topic), 0o700), ctx.Err())
}

// Unsubscribe removes the folder with what lies in it.
func (m maildir) Unsubscribe(ctx context.Context, topic string) error {
	return errors.Join(os.RemoveAll(filepath.Join(m.dir, m.device, topic)), ctx.Err())
}

// Receive looks into the folders again and again. What is acknowledged is removed.
func (m maildir) Receive(ctx context.Context, topics iter.Seq[string], handle func(trefoil.Frame)) error {
	for topic := range topics {
		if err := m.Subscribe(ctx, topic); err != nil {
			return err
		}
	}
	given := make(map[string]bool)
	for first := true; ctx.Err() == nil; first = false {
		files, err := filepath.Glob(filepath.Join(m.dir, m.device, "*", "[0-9]*"))
		if err != nil {
			return err
		}
		slices.SortFunc(files, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
		for _, file := range files {
			data, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) || given[file] {
				continue
			}
			if err != nil {
				return err
			}
			given[file] = true
			name := strings.SplitN(filepath.Base(file), "-", 3)
			handle(trefoil.Frame{
				Topic: filepath.Base(filepath.Dir(file)), From: name[2], Data: data,
				Ack: func() { os.Remove(file) },
			})
		}
		if first {
			handle(trefoil.Frame{}) // all that was stored has been delivered
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}
