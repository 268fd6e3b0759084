// Command disk is the program in the pods of the storage tests:
//
//	disk write FILE TEXT  writes a file
//	disk print FILE       prints a file
//	disk fill FILE        writes until the volume is full, and fails if anything else ends it
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "write":
		return os.WriteFile(args[1], []byte(args[2]), 0o644)
	case len(args) == 2 && args[0] == "print":
		data, err := os.ReadFile(args[1])
		fmt.Printf("%s", data)
		return err
	case len(args) == 2 && args[0] == "fill":
		return fill(args[1])
	}
	return fmt.Errorf("unknown command %q", args)
}

func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for err == nil {
		_, err = f.Write(block)
	}
	if errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	return err
}
