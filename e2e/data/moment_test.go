package data

import "github.com/sluice-cd/sluice/e2e/world"

// A moment is when a fault happens: as soon as began returns true of the place.
type moment struct {
	name     string
	place    func(*lab) *world.World // nil while it does not exist
	began    func(*world.World) bool
	work     string // of the Job that runs beside the data then; "" for none
	database bool   // the database of the place is in use then
}

func production(l *lab) *world.World { return l.World }
func staging(l *lab) *world.World    { return l.staging }

// during is the moment when a pod runs beside the data.
func during(name, work string, place func(*lab) *world.World) moment {
	began := func(w *world.World) bool { return len(pods(w, work)) > 0 }
	return moment{name: name, place: place, began: began, work: work, database: work == "database"}
}

// stopping is the moment when the workload is being stopped.
func stopping(name string, place func(*lab) *world.World) moment {
	return moment{name: name, place: place, database: true, began: func(w *world.World) bool {
		return w.Get("StatefulSet", "mongo").Number(1, "spec", "replicas") == 0
	}}
}

var (
	cutting = moment{name: "the cut", place: production, database: true, began: func(w *world.World) bool {
		return len(w.List("VolumeSnapshot.snapshot.storage.k8s.io", "")) > 0
	}}
	copying   = during("the copy", "copy", production)
	proving   = during("the proof", "restore", (*lab).scratch)
	reading   = during("the reading of the copy", "database", (*lab).scratch)
	restoring = during("the restore", "restore", staging)
	exchange  = stopping("the exchange", staging)
	verifying = during("the verification", "database", staging)
	goingBack = during("the restore", "restore", production)
)

// A course is the moments of a deploy file with one kind of storage.
type course struct {
	file    string
	stopped bool // production is stopped while it is copied
	moments []moment
}

var courses = []course{
	{"copy", false, []moment{cutting, copying, proving, reading, restoring, exchange, verifying}},
	{"copy", true, []moment{stopping("the stop", production), copying}},
	{"back", false, []moment{cutting, copying, proving, reading, goingBack, stopping("the exchange", production)}},
}
