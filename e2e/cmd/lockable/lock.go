package main

import (
	"os"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A lock is what mongod's is: it belongs to no connection, and is made once for each fsync.
type lock struct {
	writes  sync.RWMutex // held for reading by each write, for writing while there is a lock
	mu      sync.Mutex
	count   int64
	journal *os.File
}

// writing are the commands that change something. What else is sent passes.
var writing = []string{"insert", "update", "delete", "findAndModify", "findandmodify", "create", "drop", "dropDatabase",
	"createIndexes", "dropIndexes", "renameCollection", "collMod", "bulkWrite"}

// obey answers the commands that the server behind does not know, and returns nil for others.
func (l *lock) obey(name string, command bson.Raw) bson.D {
	switch name {
	case "fsync":
		if locking, _ := command.Lookup("lock").BooleanOK(); locking {
			return l.add()
		}
		return bson.D{{Key: "numFiles", Value: int32(1)}, {Key: "ok", Value: 1.0}}
	case "fsyncUnlock":
		return l.remove()
	case "currentOp":
		answer := bson.D{{Key: "inprog", Value: bson.A{}}}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.count > 0 {
			answer = append(answer, bson.E{Key: "fsyncLock", Value: true},
				bson.E{Key: "info", Value: "use db.fsyncUnlock() to terminate the fsync write/snapshot lock"})
		}
		return append(answer, bson.E{Key: "ok", Value: 1.0})
	case "listCommands":
		commands := bson.D{}
		for _, c := range append(slices.Clone(writing), "fsync", "fsyncUnlock", "currentOp", "find", "listCommands") {
			commands = append(commands, bson.E{Key: c, Value: bson.D{{Key: "help", Value: ""}}})
		}
		return bson.D{{Key: "commands", Value: commands}, {Key: "ok", Value: 1.0}}
	}
	return nil
}

// add waits for the writes under way, and lets no other begin.
func (l *lock) add() bson.D {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == 0 {
		l.writes.Lock()
	}
	l.count++
	return bson.D{{Key: "info", Value: "now locked against writes, use db.fsyncUnlock() to unlock"},
		{Key: "lockCount", Value: l.count}, {Key: "ok", Value: 1.0}}
}

func (l *lock) remove() bson.D {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == 0 {
		return bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: "fsyncUnlock called when not locked"},
			{Key: "code", Value: int32(20)}, {Key: "codeName", Value: "IllegalOperation"}}
	}
	l.count--
	if l.count == 0 {
		l.writes.Unlock()
	}
	return bson.D{{Key: "info", Value: "fsyncUnlock completed"}, {Key: "lockCount", Value: l.count},
		{Key: "ok", Value: 1.0}}
}

// begin waits until there is no lock, and writes an insert down. The caller calls end.
func (l *lock) begin(name string) (end func(), err error) {
	l.writes.RLock()
	if name == "insert" {
		_, err = l.journal.WriteString("insert\n")
	}
	return l.writes.RUnlock, err
}
