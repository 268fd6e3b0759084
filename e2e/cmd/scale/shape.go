package main

import (
	"fmt"
	"strconv"
	"strings"
)

// A shape is a number of Deployments, each with a number of replicas.
type shape struct{ n, replicas int }

// String returns the shape as the flag has it: 20 or 20x4.
func (s shape) String() string {
	if s.replicas == 1 {
		return strconv.Itoa(s.n)
	}
	return fmt.Sprintf("%dx%d", s.n, s.replicas)
}

// parseShapes reads shapes that commas separate.
func parseShapes(list string) ([]shape, error) {
	var shapes []shape
	for word := range strings.SplitSeq(list, ",") {
		number, replicas, ok := strings.Cut(word, "x")
		if !ok {
			replicas = "1"
		}
		s := shape{}
		var err, err2 error
		s.n, err = strconv.Atoi(number)
		s.replicas, err2 = strconv.Atoi(replicas)
		if err != nil || err2 != nil || s.n < 1 || s.replicas < 1 {
			return nil, fmt.Errorf("%q is not a size such as 200 or 20x4", word)
		}
		shapes = append(shapes, s)
	}
	return shapes, nil
}
