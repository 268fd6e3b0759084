package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// archive is the name of a platform's archive.
func (p product) archive(on platform) string { return p.file(on) + ".tar.gz" }

// writeArchive packs the program and the pages. Users, times and the order of files are the same on every machine.
func writeArchive(path string, date time.Time, program, pages string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(f)
	t := tar.NewWriter(z)
	defer func() { err = errors.Join(err, t.Close(), z.Close(), f.Close()) }()
	if err := addFile(t, date, program, name, 0o755); err != nil {
		return err
	}
	return filepath.WalkDir(pages, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		within, err := filepath.Rel(pages, path)
		if err != nil {
			return err
		}
		return addFile(t, date, path, filepath.ToSlash(within), 0o644)
	})
}

func addFile(t *tar.Writer, date time.Time, from, to string, mode int64) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Name: to, Mode: mode, Size: info.Size(), ModTime: date}); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}

func addData(t *tar.Writer, date time.Time, data []byte, to string) error {
	if err := t.WriteHeader(&tar.Header{Name: to, Mode: 0o644, Size: int64(len(data)), ModTime: date}); err != nil {
		return err
	}
	_, err := t.Write(data)
	return err
}
