package mongodb

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluice-cd/sluice"
)

func openStub(t *testing.T, s *stub) *database {
	t.Helper()
	db, err := New().Open(t.Context(), "mongodb://"+s.address+"/shop", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return db.(*database)
}

func TestDescribeNamesFormatAndOtherDatabases(t *testing.T) {
	s := startStub(t)
	db := openStub(t, s)
	got, err := db.Describe(t.Context())
	want := sluice.Server{Version: "6.0.14", Format: "5.0", Others: []string{"audit", "carts"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	s.set(func() {
		for _, command := range []string{"getParameter", "listDatabases"} {
			s.refuse[command] = refusal(13, "not authorized")
		}
	})
	got, err = db.Describe(t.Context())
	if diff := cmp.Diff(sluice.Server{Version: "6.0.14"}, got); diff != "" || err != nil {
		t.Errorf("a login with few rights: %v (-want +got):\n%s", err, diff)
	}
}

// What would prevent a lock is known before, and asking for it blocks nothing.
func TestLockableSaysWhatLockWould(t *testing.T) {
	user := bson.A{bson.D{{Key: "user", Value: "backup"}, {Key: "db", Value: "admin"}}}
	for name, tt := range map[string]struct {
		change func(*stub)
		want   sluice.Code
	}{
		"no logins":        {func(*stub) {}, ""},
		"the rights":       {func(s *stub) { s.users, s.actions = user, bson.A{"unlock", "fsync"} }, ""},
		"too few rights":   {func(s *stub) { s.users, s.actions = user, bson.A{"fsync", "inprog"} }, sluice.Denied},
		"no rights":        {func(s *stub) { s.users = user }, sluice.Denied},
		"locked":           {func(s *stub) { s.locks = 1 }, sluice.Conflict},
		"without commands": {func(s *stub) { s.refuse["listCommands"] = refusal(59, "no such command") }, sluice.Unsupported},
		"without fsync": {func(s *stub) {
			s.refuse["listCommands"] = bson.D{{Key: "commands", Value: bson.D{}}, {Key: "ok", Value: 1}}
		}, sluice.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			s := startStub(t)
			db := openStub(t, s)
			s.set(func() { tt.change(s) })
			before := s.locked(0)
			err := db.Lockable(t.Context())
			if err != nil && (sluice.ErrorCode(err) != tt.want || sluice.ErrorHint(err) == "") || err == nil && tt.want != "" {
				t.Errorf("%v, hint %q, want %q", err, sluice.ErrorHint(err), tt.want)
			}
			if s.locked(0) != before {
				t.Error("asking changed the lock")
			}
		})
	}
}

func TestALockEndsOnceByUnlock(t *testing.T) {
	s := startStub(t)
	db := openStub(t, s)
	for range 2 {
		if err := db.Lock(t.Context(), time.Minute); err != nil || s.locked(0) != 1 {
			t.Fatalf("locked %d times: %v", s.locked(0), err)
		}
		if err := db.Lock(t.Context(), time.Minute); sluice.ErrorCode(err) != sluice.Conflict {
			t.Errorf("a second lock: %v", err)
		}
		if err := db.Unlock(t.Context()); err != nil || s.locked(0) != 0 {
			t.Fatalf("locked %d times: %v", s.locked(0), err)
		}
	}
	if err := db.Unlock(t.Context()); err != nil {
		t.Errorf("without a lock: %v", err)
	}
}

func TestALockOfSomebodyElseStays(t *testing.T) {
	s := startStub(t)
	db := openStub(t, s)
	s.locked(1)
	if err := db.Lock(t.Context(), time.Minute); sluice.ErrorCode(err) != sluice.Conflict || s.locked(0) != 1 {
		t.Errorf("locked %d times: %v", s.locked(0), err)
	}
	s.locked(-1)
	if err := db.Lock(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	s.locked(1)
	if err := db.Unlock(t.Context()); err != nil || s.locked(-1) != 1 {
		t.Errorf("the lock of somebody else did not stay: %v", err)
	}
}

// A Database that has not locked ends the lock of a process that was killed.
func TestUnlockEndsWhatAKilledProcessLeft(t *testing.T) {
	s := startStub(t)
	db := openStub(t, s)
	s.locked(1)
	if err := db.Unlock(t.Context()); err != nil || s.locked(0) != 0 {
		t.Errorf("locked %d times: %v", s.locked(0), err)
	}
}

func TestALockEndsByItsLease(t *testing.T) {
	s := startStub(t)
	db := openStub(t, s)
	if err := db.Lock(t.Context(), 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); db.lock.isHeld() && time.Now().Before(deadline); {
		<-time.After(time.Millisecond)
	}
	if n := s.locked(0); n != 0 {
		t.Errorf("locked %d times after the lease", n)
	}
	err := db.Unlock(t.Context())
	if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "100ms") || sluice.ErrorHint(err) == "" {
		t.Errorf("unlock after the lease: %v", err)
	}
	if err := db.Lock(t.Context(), time.Minute); err != nil {
		t.Errorf("another lock: %v", err)
	}
}

func TestALockThatTheServerLostFails(t *testing.T) {
	s := startStub(t)
	db := openStub(t, s)
	if err := db.Lock(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	s.locked(-1) // as after a restart
	if err := db.Unlock(t.Context()); sluice.ErrorCode(err) != sluice.Failed || s.locked(0) != 0 {
		t.Errorf("locked %d times: %v", s.locked(0), err)
	}
}

// TestNoLockIsLeft: whatever answer is lost, the server ends unlocked, and is never unlocked too often.
func TestNoLockIsLeft(t *testing.T) {
	for _, command := range []string{"fsync", "fsyncUnlock"} {
		s := startStub(t)
		db := openStub(t, s)
		s.set(func() { s.drop[command] = 1 })
		err := db.Lock(t.Context(), time.Minute)
		if command == "fsync" && sluice.ErrorCode(err) != sluice.Unavailable || command != "fsync" && err != nil {
			t.Errorf("%s: %v", command, err)
		}
		if err := db.Unlock(t.Context()); err != nil || s.locked(0) != 0 {
			t.Errorf("%s: locked %d times: %v", command, s.locked(0), err)
		}
	}
}

func TestClosingEndsTheLock(t *testing.T) {
	s := startStub(t)
	db, err := New().Open(t.Context(), "mongodb://"+s.address+"/shop", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.(sluice.Locker).Lock(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(t.Context()); err != nil || s.locked(0) != 0 {
		t.Errorf("locked %d times: %v", s.locked(0), err)
	}
}

func TestALockThatIsRefusedSaysWhatToDo(t *testing.T) {
	for code, want := range map[int32]sluice.Code{59: sluice.Unsupported, 238: sluice.Unsupported, 13: sluice.Denied} {
		s := startStub(t)
		db := openStub(t, s)
		s.set(func() { s.refuse["fsync"] = refusal(code, "no such thing as fsync") })
		err := db.Lock(t.Context(), time.Minute)
		if sluice.ErrorCode(err) != want || sluice.ErrorHint(err) == "" {
			t.Errorf("code %d: %v (%s), want %s", code, err, sluice.ErrorCode(err), want)
		}
	}
}
