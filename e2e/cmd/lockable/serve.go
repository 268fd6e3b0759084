package main

import (
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Of a message of MongoDB's protocol: the header's length, the only kind of message that is looked at, and a flag of
// it that says that no answer is expected.
const (
	headerLength = 16
	opMsg        = 2013
	noAnswer     = 2
)

func serve(listen, server string, l *lock) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer client.Close()
			if err := carry(client, server, l); err != nil && !errors.Is(err, io.EOF) {
				log.Print(err)
			}
		}()
	}
}

// carry carries requests to the server and answers back, one after another, until either side goes.
func carry(client net.Conn, server string, l *lock) error {
	behind, err := net.Dial("tcp", server)
	if err != nil {
		return err
	}
	defer behind.Close()
	for {
		request, err := message(client)
		if err != nil {
			return err
		}
		answer, err := l.answer(request, behind)
		if err != nil {
			return err
		}
		if _, err := client.Write(answer); err != nil {
			return err
		}
	}
}

// answer returns the answer to a request, its own or that of the server behind.
func (l *lock) answer(request []byte, behind net.Conn) ([]byte, error) {
	name, command, expected := read(request)
	if own := l.obey(name, command); own != nil {
		return reply(request, own)
	}
	if slices.Contains(writing, name) {
		end, err := l.begin(name)
		defer end()
		if err != nil {
			return nil, err
		}
	}
	if _, err := behind.Write(request); err != nil || !expected {
		return nil, err
	}
	return message(behind)
}

func message(from net.Conn) ([]byte, error) {
	header := make([]byte, headerLength)
	if _, err := io.ReadFull(from, header); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint32(header)
	if length < headerLength || length > 48<<20 {
		return nil, errors.New("a message has an impossible length")
	}
	all := append(header, make([]byte, length-headerLength)...)
	_, err := io.ReadFull(from, all[headerLength:])
	return all, err
}

// read returns the command of a request and its name, "" if it is of another kind of message.
func read(request []byte) (name string, command bson.Raw, expected bool) {
	const flags, kind, body = headerLength, headerLength + 4, headerLength + 5
	if binary.LittleEndian.Uint32(request[12:]) != opMsg || len(request) < body+5 || request[kind] != 0 {
		return "", nil, true
	}
	length := int(binary.LittleEndian.Uint32(request[body:]))
	if body+length > len(request) {
		return "", nil, true
	}
	command = bson.Raw(request[body : body+length])
	if elements, err := command.Elements(); err == nil && len(elements) > 0 {
		name = elements[0].Key()
	}
	return name, command, binary.LittleEndian.Uint32(request[flags:])&noAnswer == 0
}

func reply(request []byte, answer bson.D) ([]byte, error) {
	document, err := bson.Marshal(answer)
	if err != nil {
		return nil, err
	}
	out := make([]byte, headerLength+5, headerLength+5+len(document)) // no flags, a section of the kind 0
	binary.LittleEndian.PutUint32(out, uint32(cap(out)))
	copy(out[8:12], request[4:8])
	binary.LittleEndian.PutUint32(out[12:], opMsg)
	return append(out, document...), nil
}
