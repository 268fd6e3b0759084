package mongodb

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/wiremessage"
)

// The messages of the first hello, which drivers send as servers of all versions understand it.
const (
	opReply wiremessage.OpCode = 1
	opQuery wiremessage.OpCode = 2004
)

// A stub answers commands in MongoDB's wire protocol, as the manual says that a mongod answers them. It stands for what
// no server does that can run here: FerretDB has neither fsyncLock nor featureCompatibilityVersion.
type stub struct {
	address string
	mu      sync.Mutex
	locks   int               // how often it is locked
	refuse  map[string]bson.D // what it answers to a command instead
	drop    map[string]int    // how many answers to a command it loses, after it has obeyed
	asked   []string
	users   bson.A // who is logged in
	actions bson.A // what they may do to the whole server
}

func startStub(t *testing.T) *stub {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stub{address: l.Addr().String(), refuse: map[string]bson.D{}, drop: map[string]int{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return s
}

// serve answers until the client goes.
func (s *stub) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	for {
		header := make([]byte, 16)
		if _, err := io.ReadFull(c, header); err != nil {
			return
		}
		body := make([]byte, binary.LittleEndian.Uint32(header)-16)
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		request := int32(binary.LittleEndian.Uint32(header[4:]))
		answer, ok := s.reply(request, wiremessage.OpCode(binary.LittleEndian.Uint32(header[12:])), body)
		if !ok {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

func (s *stub) reply(request int32, code wiremessage.OpCode, body []byte) ([]byte, bool) {
	if code == opQuery { // only the first hello is one
		name := bytes.IndexByte(body[4:], 0)
		answer, ok := s.obey(body[4+name+1+8:])
		at, message := wiremessage.AppendHeaderStart(nil, 1, request, opReply)
		message = append(message, make([]byte, 16)...) // flags, cursor, start
		message = append(binary.LittleEndian.AppendUint32(message, 1), answer...)
		return bsoncore.UpdateLength(message, at, int32(len(message))), ok
	}
	document, _, _ := bsoncore.ReadDocument(body[5:]) // behind the flags and the kind of the section
	answer, ok := s.obey(document)
	at, message := wiremessage.AppendHeaderStart(nil, 1, request, wiremessage.OpMsg)
	message = wiremessage.AppendMsgFlags(message, 0)
	message = wiremessage.AppendMsgSectionType(message, wiremessage.SingleDocument)
	message = append(message, answer...)
	return bsoncore.UpdateLength(message, at, int32(len(message))), ok
}

// obey obeys a command and returns its answer, and whether the answer arrives.
func (s *stub) obey(command bsoncore.Document) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	elements, err := command.Elements()
	if err != nil || len(elements) == 0 {
		return nil, false
	}
	name := elements[0].Key()
	s.asked = append(s.asked, name)
	answer, refused := s.refuse[name]
	if !refused {
		answer = append(s.do(name), bson.E{Key: "ok", Value: 1})
	}
	document, err := bson.Marshal(answer)
	if err != nil {
		return nil, false
	}
	if s.drop[name] > 0 {
		s.drop[name]--
		return nil, false
	}
	return document, true
}

func (s *stub) do(name string) bson.D {
	switch name {
	case "hello", "isMaster", "ismaster":
		return bson.D{{Key: "isWritablePrimary", Value: true}, {Key: "ismaster", Value: true}, {Key: "helloOk", Value: true},
			{Key: "maxBsonObjectSize", Value: 16 << 20}, {Key: "maxMessageSizeBytes", Value: 48 << 20},
			{Key: "maxWriteBatchSize", Value: 100_000}, {Key: "minWireVersion", Value: 0}, {Key: "maxWireVersion", Value: 17}}
	case "buildInfo":
		return bson.D{{Key: "version", Value: "6.0.14"}}
	case "getParameter":
		return bson.D{{Key: "featureCompatibilityVersion", Value: bson.D{{Key: "version", Value: "5.0"}}}}
	case "listDatabases":
		var list bson.A
		for _, name := range []string{"admin", "audit", "config", "local", "shop", "carts"} {
			list = append(list, bson.D{{Key: "name", Value: name}})
		}
		return bson.D{{Key: "databases", Value: list}}
	case "fsync":
		s.locks++
		return bson.D{{Key: "info", Value: "now locked against writes"}, {Key: "lockCount", Value: int64(s.locks)}}
	case "fsyncUnlock":
		if s.locks == 0 {
			return refusal(20, "fsyncUnlock called when not locked")
		}
		s.locks--
		return bson.D{{Key: "info", Value: "fsyncUnlock completed"}, {Key: "lockCount", Value: int64(s.locks)}}
	case "listCommands":
		commands := bson.D{}
		for _, name := range []string{"find", "fsync", "fsyncUnlock", "currentOp"} {
			commands = append(commands, bson.E{Key: name, Value: bson.D{{Key: "help", Value: ""}}})
		}
		return bson.D{{Key: "commands", Value: commands}}
	case "connectionStatus":
		return bson.D{{Key: "authInfo", Value: bson.D{{Key: "authenticatedUsers", Value: s.users},
			{Key: "authenticatedUserPrivileges", Value: bson.A{
				bson.D{{Key: "resource", Value: bson.D{{Key: "db", Value: "shop"}, {Key: "collection", Value: ""}}},
					{Key: "actions", Value: bson.A{"find", "fsync", "unlock"}}},
				bson.D{{Key: "resource", Value: bson.D{{Key: "cluster", Value: true}}}, {Key: "actions", Value: s.actions}},
			}}}}}
	case "currentOp":
		if s.locks > 0 {
			return bson.D{{Key: "inprog", Value: bson.A{}}, {Key: "fsyncLock", Value: true}}
		}
		return bson.D{{Key: "inprog", Value: bson.A{}}}
	}
	return nil
}

func refusal(code int32, message string) bson.D {
	return bson.D{{Key: "ok", Value: 0}, {Key: "errmsg", Value: message}, {Key: "code", Value: code}}
}

// locked changes how often the server is locked, and returns how often it was.
func (s *stub) locked(change int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locks += change
	return s.locks - change
}

// set changes what the server does.
func (s *stub) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}
