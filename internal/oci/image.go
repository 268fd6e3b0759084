// Package oci writes container images without a container engine, as archives that every runtime loads: the layout of
// the Open Container Initiative, with the file in it that docker load reads. It imports the standard library only.
//
// The same image gives the same bytes, with the same version of Go. Start at [Write].
package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"path"
	"slices"
	"strings"
	"time"
)

// An Image is one layer for Linux on one architecture.
type Image struct {
	Arch       string // as Go calls it
	Files      []File // their directories are added
	Entrypoint []string
	User       string // uid:gid; "": root
	Dir        string // where the program starts; "": /
	Labels     map[string]string
	Created    time.Time // also the time of every file; zero: the image does not say when
	Compress   bool
}

// A File is a regular file, or a directory if its path ends with a slash.
type File struct {
	Path  string // absolute
	Data  []byte
	Mode  int64
	Owner int // user and group
}

// layer returns the file system as it is stored, and as the identity of the layer counts it.
func (i Image) layer() (stored, plain []byte, err error) {
	if plain, err = i.tar(); err != nil || !i.Compress {
		return plain, plain, err
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err = z.Write(plain)
	err = errors.Join(err, z.Close())
	return out.Bytes(), plain, err
}

func (i Image) tar() ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range i.all() {
		h := &tar.Header{
			Name: f.Path[1:], Mode: f.Mode, Uid: f.Owner, Gid: f.Owner, Size: int64(len(f.Data)), ModTime: i.Created,
		}
		if strings.HasSuffix(f.Path, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// all returns the files and all their directories, each directory before what is in it.
func (i Image) all() []File {
	all := map[string]File{}
	for _, f := range i.Files {
		all[f.Path] = f
	}
	for _, f := range i.Files {
		for dir := path.Dir(strings.TrimSuffix(f.Path, "/")); dir != "/"; dir = path.Dir(dir) {
			if _, found := all[dir+"/"]; !found {
				all[dir+"/"] = File{Path: dir + "/", Mode: 0o755}
			}
		}
	}
	var list []File
	for _, f := range all {
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return list
}
