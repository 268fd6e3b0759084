package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// pack writes everything that is to be published into the directory dist, from a program for each platform. It runs
// the program of this machine's platform.
func pack(ctx context.Context, p product, programs []program, dist string) error {
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return err
	}
	pages, err := os.MkdirTemp("", "pages-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(pages)
	if err := writePages(ctx, p, programs, pages); err != nil {
		return err
	}
	sums := map[platform]string{}
	for _, program := range programs {
		if sums[program.platform], err = packOne(ctx, p, program, pages, dist); err != nil {
			return fmt.Errorf("pack for %s: %w", program.platform, err)
		}
	}
	if err := writeImages(p, programs, dist); err != nil {
		return err
	}
	if err := writeChart(p, dist); err != nil {
		return err
	}
	if err := writeManifests(p, sums, dist); err != nil {
		return err
	}
	return writeSums(dist)
}

// packImages writes the container image alone into the directory dist, and its checksums.
func packImages(p product, programs []program, dist string) error {
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return err
	}
	if err := writeImages(p, programs, dist); err != nil {
		return err
	}
	return writeSums(dist)
}

// packOne returns the checksum of the archive.
func packOne(ctx context.Context, p product, program program, pages, dist string) (string, error) {
	archive := filepath.Join(dist, p.archive(program.platform))
	if err := writeArchive(archive, p.date, program.path, pages); err != nil {
		return "", err
	}
	if err := writeBill(ctx, p, program, dist); err != nil {
		return "", err
	}
	if program.os == "linux" {
		if err := writeDebian(p, program, pages, dist); err != nil {
			return "", err
		}
	}
	return sum(archive)
}
