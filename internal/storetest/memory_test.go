package storetest

import (
	"fmt"
	"testing"

	"github.com/sluice-cd/sluice"
)

// What the engine and the servers rely on in their tests holds for Memory as for a real store. It has no disk, so it is
// not opened again, and no process is killed.
func TestMemory(t *testing.T) {
	for i, test := range []func(*testing.T, sluice.Store){
		appendNumbers, appendKeepsFields, appendConflicts, appendOnePerApplication, appendNothingAfterEnd, appendCancelled,
		readUnknown, readAfter, readLong, readBreak, readWhileAppending, readOthers,
		queueStarts, queueOvertakes, queueComesFirst, queueEachApplication, queueConcurrent,
		concurrentDeployments, concurrentOneDeployment, concurrentStarts, concurrentReaders,
		tokenRoundTrip, tokenNotFound, tokenConflict, tokenLists, tokenDeletes, tokenNeeds, tokenCancelled, tokenConcurrent,
		auditRoundTrip, auditFilters, auditPages, auditNeeds, auditCancelled,
		readerNotFound, readerRoundTrip, readerNeverBack, readerNeeds, readerCancelled, readerConcurrent, readerLease,
		func(t *testing.T, s sluice.Store) { auditLong(t, s) },
	} {
		t.Run(fmt.Sprint("one store ", i), func(t *testing.T) { test(t, NewMemory()) })
	}
	for i, test := range []func(*testing.T, Open){
		leaseOneHolder, leaseOthers, leaseReleased, leaseCancelled, leaseLooked, leaseConcurrent, leaseWithoutLog,
		inboxKeeps, inboxRefusesSending, inboxRefuses, inboxSettlesOnce, inboxConcurrent, inboxAnswers, inboxArrivals,
		inboxArrivalsConcurrent,
		tailOrder, tailFollows, tailLong, tailConcurrent, tailCancelled,
	} {
		t.Run(fmt.Sprint("a store opened twice ", i), func(t *testing.T) {
			m := NewMemory()
			test(t, func(*testing.T, string) sluice.Store { return m })
		})
	}
}
