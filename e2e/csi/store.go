package csi

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A store is a directory of images with their records, of volumes or of snapshots. An image without a record was not
// finished and does not count.
type store struct{ dir string }

// A record says what an image is.
type record struct {
	ID      string
	Name    string
	Bytes   int64
	Source  string // the ID of the volume or snapshot that it is a copy of; "" if it began empty
	Group   string // the ID of the group of snapshots that it belongs to; "" if none
	Created time.Time
	Pending bool // a snapshot that never becomes ready to use
}

// newRecord derives the ID from the name, so that a request that is sent again finds what the first one made.
func newRecord(name string) record {
	sum := sha256.Sum256([]byte(name))
	return record{ID: hex.EncodeToString(sum[:16]), Name: name, Created: time.Now()}
}

func (s store) image(id string) string { return filepath.Join(s.dir, id, "image") }

// find returns an error of the kind NotFound if there is no such record.
func (s store) find(id string) (record, error) {
	if id != filepath.Base(id) {
		return record{}, status.Errorf(codes.NotFound, "there is no %q", id)
	}
	data, err := os.ReadFile(filepath.Join(s.dir, id, "record.json"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNameTooLong) {
		return record{}, status.Errorf(codes.NotFound, "there is no %q", id)
	}
	var r record
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	return r, err
}

// create makes the image with the function and then its record.
func (s store) create(r record, makeImage func(path string) error) error {
	dir := filepath.Join(s.dir, r.ID)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := makeImage(s.image(r.ID)); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	temporary := filepath.Join(dir, "record.new")
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(dir, "record.json"))
}

// remove does nothing if there is no such image. The record goes first.
func (s store) remove(id string) error {
	if id != filepath.Base(id) {
		return nil
	}
	err := os.Remove(filepath.Join(s.dir, id, "record.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNameTooLong) {
		return err
	}
	return os.RemoveAll(filepath.Join(s.dir, id))
}

// list returns all records in the order of their creation.
func (s store) list() ([]record, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var all []record
	for _, e := range entries {
		r, err := s.find(e.Name())
		if status.Code(err) == codes.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b record) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// page returns the records after the one whose time of creation the token is, at most limit if that is not 0, and the
// token of the next page.
func page(all []record, token string, limit int32) ([]record, string, error) {
	if limit < 0 {
		return nil, "", status.Error(codes.InvalidArgument, "max_entries is negative")
	}
	if token != "" {
		after, err := strconv.ParseInt(token, 10, 64)
		if err != nil {
			return nil, "", status.Errorf(codes.Aborted, "starting_token %q is not one of this driver", token)
		}
		all = slices.DeleteFunc(all, func(r record) bool { return r.Created.UnixNano() <= after })
	}
	if limit == 0 || len(all) <= int(limit) {
		return all, "", nil
	}
	all = all[:limit]
	return all, strconv.FormatInt(all[limit-1].Created.UnixNano(), 10), nil
}
