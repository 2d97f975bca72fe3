// Package store keeps what a lab is on disk: one file of keys and values that is
// written through, so that a process which is killed at any moment goes on from
// where it was.
//
// A write is in the page cache when it returns. It survives the end of the
// process, by SIGKILL too, but not a power cut of the computer: nothing of a lab
// is worth waiting for the disk.
package store

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// ErrLocked is that of a file that another process has open.
var ErrLocked = errors.New("another process has it open")

// Store is a lab's file. Its methods may be called at once.
type Store struct{ db *bbolt.DB }

// Open opens a file, and makes it where it is missing.
func Open(path string) (*Store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: 100 * time.Millisecond, NoSync: true, NoFreelistSync: true, NoGrowSync: true, FreelistType: bbolt.FreelistMapType,
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("%s: %w", path, ErrLocked)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Store{db}, nil
}

// Close closes the file. Writes after it fail.
func (s *Store) Close() error { return s.db.Close() }

// In returns the bucket of a name. It need not be there: a write makes it.
func (s *Store) In(name string) *Bucket { return &Bucket{s.db, []string{name}} }

// Bucket is a folder of keys and of other buckets.
type Bucket struct {
	db   *bbolt.DB
	path []string
}

// In returns a bucket within.
func (b *Bucket) In(name string) *Bucket {
	return &Bucket{b.db, append(b.path[:len(b.path):len(b.path)], name)}
}

// Put writes a value.
func (b *Bucket) Put(key string, value []byte) error {
	return b.PutAll(map[string][]byte{key: value})
}

// Delete removes a key; one that is not there is no error.
func (b *Bucket) Delete(key string) error { return b.PutAll(map[string][]byte{key: nil}) }

// PutAll writes values, all or none. A nil one deletes its key.
func (b *Bucket) PutAll(values map[string][]byte) error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		at, err := b.make(tx)
		if err != nil {
			return err
		}
		for k, v := range values {
			if v == nil {
				err = at.Delete([]byte(k))
			} else {
				err = at.Put([]byte(k), v)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
		}
		return nil
	})
}

// Get returns a copy of a value, nil where there is none.
func (b *Bucket) Get(key string) (value []byte) {
	_ = b.db.View(func(tx *bbolt.Tx) error { // fails only when closed
		if at := b.find(tx); at != nil {
			if v := at.Get([]byte(key)); v != nil {
				value = append([]byte{}, v...)
			}
		}
		return nil
	})
	return value
}

// All calls a function for each key, in their order, until it fails. The value is
// good for the call only, and the function must not write.
func (b *Bucket) All(f func(key string, value []byte) error) error {
	return b.db.View(func(tx *bbolt.Tx) error {
		at := b.find(tx)
		if at == nil {
			return nil
		}
		return at.ForEach(func(k, v []byte) error {
			if v == nil {
				return nil // a bucket within
			}
			return f(string(k), v)
		})
	})
}

// Clear removes the bucket with all that is in it.
func (b *Bucket) Clear() error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		last := []byte(b.path[len(b.path)-1])
		if len(b.path) == 1 {
			if tx.Bucket(last) == nil {
				return nil
			}
			return tx.DeleteBucket(last)
		}
		above := (&Bucket{b.db, b.path[:len(b.path)-1]}).find(tx)
		if above == nil || above.Bucket(last) == nil {
			return nil
		}
		return above.DeleteBucket(last)
	})
}

func (b *Bucket) find(tx *bbolt.Tx) *bbolt.Bucket {
	at := tx.Bucket([]byte(b.path[0]))
	for _, name := range b.path[1:] {
		if at == nil {
			return nil
		}
		at = at.Bucket([]byte(name))
	}
	return at
}

func (b *Bucket) make(tx *bbolt.Tx) (*bbolt.Bucket, error) {
	at, err := tx.CreateBucketIfNotExists([]byte(b.path[0]))
	for _, name := range b.path[1:] {
		if err != nil {
			return nil, err
		}
		at, err = at.CreateBucketIfNotExists([]byte(name))
	}
	return at, err
}
