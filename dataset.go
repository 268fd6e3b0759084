package sluice

import (
	"context"
	"net"
	"slices"
	"time"
)

// A Dataset is a named piece of state.
type Dataset struct {
	Pos        Position    `json:"-"`
	Name       string      `json:"name"`
	Engine     string      `json:"engine"`               // mongodb, postgresql, mysql or files
	Workload   string      `json:"workload,omitempty"`   // Kind/name; stopped before its volumes are replaced
	Claims     []string    `json:"claims"`               // PersistentVolumeClaims, copied at one instant
	URI        string      `json:"uri,omitempty"`        // template; how to reach the database inside the namespace
	Quiesce    Quiesce     `json:"quiesce"`              // how writes to the source are stopped while it is cut
	Mover      string      `json:"mover,omitempty"`      // auto (default), kopia, csi or portworx
	Portworx   *Portworx   `json:"portworx,omitempty"`   // set if Mover is portworx
	Invariants []Invariant `json:"invariants,omitempty"` // what must hold before and after
}

// Portworx says how Portworx moves volumes.
type Portworx struct {
	ClusterPair string `json:"clusterPair"`         // the object that names the other cluster
	Namespace   string `json:"namespace,omitempty"` // where it is; "": in the namespace of the claims
}

// Quiesce says how writes to a source are stopped. Auto relies on the account, which cuts all claims at one instant,
// and locks the database where the account cannot. Stop allows that the workload is stopped for that, and while claims
// are copied that can only be cut idle. None stops nothing.
type Quiesce struct {
	Mode   string     `json:"mode"`             // auto (default), none, stop or commands
	Before [][]string `json:"before,omitempty"` // run in the workload's pod
	After  [][]string `json:"after,omitempty"`
}

// An Invariant is a figure of the data and the bounds it must keep. Exactly one of Count and Sum names a collection or
// table.
type Invariant struct {
	Pos     Position `json:"-"`
	Name    string   `json:"name"`
	Count   string   `json:"count,omitempty"` // how many documents
	Sum     string   `json:"sum,omitempty"`   // the sum of Field over all documents
	Field   string   `json:"field,omitempty"`
	AtLeast *Bound   `json:"atLeast,omitempty"`
	AtMost  *Bound   `json:"atMost,omitempty"`
	Equals  *Bound   `json:"equals,omitempty"`
}

// A Bound is a number, or the invariant's value in the baseline.
type Bound struct {
	Baseline bool    `json:"baseline,omitempty"`
	Value    float64 `json:"value,omitempty"`
}

// MigrateData restores a checkpoint of one target's dataset into the step's own target.
type MigrateData struct {
	Dataset string  `json:"dataset"`
	From    string  `json:"from"`             // the target whose data it is
	Source  *Target `json:"source,omitempty"` // set in a plan: account and namespace of From
	Spec    Dataset `json:"spec,omitzero"`    // set in a plan
	Mask    Mask    `json:"mask,omitempty"`   // set in a plan: the fields of the maskData step that follows it
	// Suspend lists CronJobs of the step's own target, as CronJob/name. They stay suspended while it has the data.
	Suspend []string `json:"suspend,omitempty"`
	// Secrets are what Secrets of the step's own target hold instead while it has the data.
	Secrets []SecretValue `json:"secrets,omitempty"`
}

// A SecretValue is what a Secret holds under a key.
type SecretValue struct {
	Secret string `json:"secret"`
	Key    string `json:"key"`
	Value  string `json:"value"` // template
}

// CheckpointData copies the dataset of the step's own target.
type CheckpointData struct {
	Dataset string        `json:"dataset"`
	Keep    int           `json:"keep,omitempty"` // how many of the same dataset and target stay; 0: all
	TTL     time.Duration `json:"ttl,omitempty"`
	Spec    Dataset       `json:"spec,omitzero"` // set in a plan
}

// VerifyData compares the dataset with a baseline and checks its invariants.
type VerifyData struct {
	Dataset  string   `json:"dataset"`
	Baseline string   `json:"baseline"`         // migration or checkpoint: this deployment's latest in this target
	Mode     string   `json:"mode,omitempty"`   // equal or loss; default equal for migration, loss for checkpoint
	Ignore   []string `json:"ignore,omitempty"` // collection or collection.field that the release changes on purpose
	Spec     Dataset  `json:"spec,omitzero"`    // set in a plan
	From     StepID   `json:"from,omitempty"`   // set in a plan: the step that made the baseline
}

// RestoreData puts a checkpoint back, after a checkpoint of what is there.
type RestoreData struct {
	Dataset       string         `json:"dataset"`
	Checkpoint    CheckpointID   `json:"checkpoint,omitempty"` // "": the one that this deployment took in this target
	AllowDataLoss *AllowDataLoss `json:"allowDataLoss,omitempty"`
	Consent       *Actor         `json:"consent,omitempty"` // who agreed to any loss when the deployment was started
	Spec          Dataset        `json:"spec,omitzero"`     // set in a plan
	From          StepID         `json:"from,omitempty"`    // set in a plan: the step that made the checkpoint
}

// AllowDataLoss bounds what a restore may lose without asking a person. If both fields are zero it always asks.
type AllowDataLoss struct {
	Writes int           `json:"writes,omitempty"`
	Age    time.Duration `json:"age,omitempty"` // of the checkpoint; written as seconds in the file
}

// MaskData rewrites fields before a copy may be used. It stands right after the migrateData step of its dataset. In a
// plan it is part of that step, because nobody may use a copy that is not masked yet.
type MaskData struct {
	Dataset string `json:"dataset"`
	Fields  Mask   `json:"fields"`
}

// A Mask says by which rule each field is rewritten: collection.field to the name of a rule.
type Mask map[string]string

// MaskKeep is the rule that leaves a field as it is.
const MaskKeep = "keep"

// Rewritten returns the fields that do not stay as they are, sorted.
func (m Mask) Rewritten() []string {
	var fields []string
	for field, rule := range m {
		if rule != MaskKeep {
			fields = append(fields, field)
		}
	}
	slices.Sort(fields)
	return fields
}

// A CheckpointID names a checkpoint. It is derived from the deployment and step that make the checkpoint.
type CheckpointID string

// A Checkpoint is an immutable, verified copy of a dataset at one instant.
type Checkpoint struct {
	ID          CheckpointID  `json:"id"`
	Application string        `json:"application"`
	Deployment  DeploymentID  `json:"deployment"`
	Step        StepID        `json:"step"`
	Owner       string        `json:"owner,omitempty"` // who started the deployment; earlier versions recorded none
	Dataset     string        `json:"dataset"`
	Target      string        `json:"target"`
	Account     string        `json:"account"`
	Namespace   string        `json:"namespace"`
	TakenAt     time.Time     `json:"takenAt"`            // when it was cut
	Pause       time.Duration `json:"pause"`              // how long the source was paused
	Image       string        `json:"image"`              // of the workload whose data it is
	Workload    Object        `json:"workload,omitempty"` // as it was, needed to open the data; secrets are references
	Copy        Copy          `json:"copy"`
	Fingerprint Fingerprint   `json:"fingerprint"`
	Expires     time.Time     `json:"expires,omitzero"`
	Masked      []string      `json:"masked,omitempty"` // collection.field, if it differs from the source
}

// A Volume is one generation of a claim's content. A process reaches it by Dir, a pod by Mount; both are "" if neither
// can.
type Volume struct {
	Namespace  string `json:"namespace"`
	Claim      string `json:"claim"`
	Generation string `json:"generation"`
	Dir        string `json:"dir,omitempty"`     // where this process can read and write it
	Mount      string `json:"mount,omitempty"`   // the claim by which a pod of the namespace can read and write it
	Current    bool   `json:"current,omitempty"` // pods that use the claim see this generation
}

// A Cut is a set of volumes copied at one instant.
type Cut struct {
	Volumes []Volume      `json:"volumes"`
	At      time.Time     `json:"at"`
	Pause   time.Duration `json:"pause"`          // how long the pods that use the claims stood still, or could not write
	Held    bool          `json:"held,omitempty"` // the volumes are the claims themselves: no pod may use them meanwhile
}

// CopyLabel marks a namespace that holds a copy of data which must not stay. CopyExpires is the annotation with the
// time after which anybody may delete the namespace, in the form of RFC 3339.
const (
	CopyLabel   = "sluice-cd.github.io/copy"
	CopyExpires = "sluice-cd.github.io/expires"
)

// WorkLabel marks every object of a Job that Sluice runs beside data. Its value is the name of the Job.
const WorkLabel = "sluice-cd.github.io/work"

// The ways to cut a claim.
const (
	CutFreeze   = "freeze"   // its pods stand still while it is copied
	CutGroup    = "group"    // its storage takes one snapshot of all claims at one instant, and their pods go on
	CutSnapshot = "snapshot" // its storage takes a snapshot, and its pods go on
	CutIdle     = "idle"     // no pod may use it until it is copied
)

// A ClaimState is what an account knows of a claim.
type ClaimState struct {
	Claim      string   `json:"claim"`
	Generation string   `json:"generation"`       // the current one; "" while the claim is not bound
	Size       int64    `json:"size"`             // in bytes, how much it can hold; 0: not known
	Class      string   `json:"class,omitempty"`  // its StorageClass
	Driver     string   `json:"driver,omitempty"` // of its storage
	Way        string   `json:"way"`              // how Cut copies it
	Reason     string   `json:"reason,omitempty"` // why not in a better way
	Users      []string `json:"users,omitempty"`  // workloads whose pods use it, as Kind/name, sorted; no Job beside it
}

// Volumes manages the generations of an account's claims. The caller names a generation; it can also be named as the
// claim's object named it in spec.volumeName while it was the current one. It exists beside the current one until it is
// discarded. Calls may be repeated with the same name. Deleting a namespace deletes the generations of its claims,
// except those that Stage or Use protects at that moment. A claim is passed as the object that it is to be: name,
// namespace, labels, annotations and spec.
type Volumes interface {
	// Describe says how each claim would be cut together with the others. A claim that does not exist is NotFound and
	// named.
	Describe(ctx context.Context, namespace string, claims []string) ([]ClaimState, error)
	// Cut copies the current generation of every claim at one instant into the named generation. Pods that use the
	// claims stand still meanwhile if they must, at most for lease, also if the caller dies. Snapshots of several claims
	// that are no group are taken one right after the other, so callers stop writes meanwhile. A claim that does not
	// exist is NotFound. Too little space is Exhausted and leaves nothing behind. A claim that can only be cut idle is
	// Unsupported while a pod uses it; if none does, the cut is Held.
	Cut(ctx context.Context, namespace string, claims []string, generation string, lease time.Duration) (Cut, error)
	// Stage makes a generation of a claim, which need not exist yet, and returns where to fill it. It is empty, or begins
	// with the content of the kept snapshot from; it may hold that only some time later. A snapshot that is not there is
	// NotFound. If the generation exists, it stays as it is; one that is no longer Current may have neither Dir nor Mount.
	// From now on the current generation outlives the deletion of the claim's object, until it is discarded.
	Stage(ctx context.Context, claim Object, generation, from string) (Volume, error)
	// Use makes the generation the claim's current one and returns the name of the one before, "" if there was none. A
	// claim that does not exist is created. Conflict if a pod uses the claim, and if the generation has no volume yet:
	// some storage makes it only when a pod mounts where Stage says. If the generation is the current one, Use changes
	// nothing and returns it.
	Use(ctx context.Context, claim Object, generation string) (before string, err error)
	// Discard deletes the generation. Discarding the current one is a Conflict; discarding an absent one succeeds.
	Discard(ctx context.Context, namespace, claim, generation string) error
}

// A Copy is what a Mover made: volumes kept outside the account, or in its storage if InStorage.
type Copy struct {
	Mover     string   `json:"mover"`
	Snapshots []string `json:"snapshots"` // one a volume, in the order given
	Claims    []string `json:"claims"`
	Bytes     int64    `json:"bytes"` // content; of a copy in its storage, what the volumes can hold
	Added     int64    `json:"added"` // by how much the repository grew
	Files     int64    `json:"files"`
}

// MoverCSI is the mover whose copies are snapshots in the storage of the claims.
const MoverCSI = "csi"

// InStorage reports whether the copy consists of kept snapshots: it is in the account where it was taken, and is lost
// with the storage of the claims.
func (c Copy) InStorage() bool { return c.Mover == MoverCSI }

// A Place is one namespace of an account, where volumes are and where work beside them runs.
type Place struct {
	Name      string // of the account
	Account   Account
	Namespace string
}

// A TransferKind says what a mover does.
type TransferKind string

// The kinds of transfers. A copy InStorage has no hashes: restore waits until the storage has filled the volumes, and
// verify only proves that the snapshots are there.
const (
	TransferCopy    TransferKind = "copy"    // keep what the volumes hold
	TransferRestore TransferKind = "restore" // fill empty volumes from a copy, and prove every byte by its hash
	TransferVerify  TransferKind = "verify"  // read the whole copy back, and prove every byte by its hash
)

// A Transfer is one piece of a mover's work. A copy is known by its ID alone, other work by kind, place and ID.
type Transfer struct {
	Kind    TransferKind
	ID      string
	Place   Place
	Volumes []Volume // to copy or to fill, in the order of the copy; Cancel and Follow do not need them
	Copy    Copy     // to restore or to verify
}

// A Mover copies volumes out of an account and back. Its work may outlive the process that began it, as a Job in a
// cluster does, or may end with that process. Callers treat both alike: every method may be repeated, and may be
// called by another process than the one that began the work.
//
// An error that a retry may heal MUST be Unavailable. A full disk is Exhausted, a volume out of the mover's reach is
// Unsupported, damaged content is Failed and says where, a call whose ctx ended is Cancelled.
type Mover interface {
	// Begin begins the transfer and does not wait for its end. It changes nothing if the transfer is under way or
	// done. Work that failed, was cancelled or ended with its process begins again and reuses what it left.
	Begin(ctx context.Context, t Transfer) error
	// Follow reports progress until the transfer is over, and returns the copy, or the error that ended the work. A
	// volume to fill that is neither empty nor half filled by a restore is a Conflict. NotFound if the transfer is
	// neither under way nor over. If ctx ends, Follow first ends work that lives in this process; other work goes on.
	Follow(ctx context.Context, t Transfer, report func(Amount)) (Copy, error)
	// Find says whether the transfer is done or still under way. NotFound if it is neither: then begin it. A restore
	// or verify that is done may be forgotten once Follow has returned.
	Find(ctx context.Context, t Transfer) (c Copy, done bool, err error)
	// Cancel ends the transfer, and returns once nothing of it runs. Cancelling a transfer that is done or was never begun
	// succeeds. A whole copy stays; of other work only what Begin reuses stays.
	Cancel(ctx context.Context, t Transfer) error
	// Delete removes the copy, whole or half made, and first ends the work that makes it. It never copies and never reads
	// a volume. Deleting an absent copy succeeds. at is where the copy was taken.
	Delete(ctx context.Context, at Place, id string) error
}

// An Amount is how far a piece of work has come. Total 0 means not known.
type Amount struct {
	Unit  string `json:"unit"` // bytes, documents or rows
	Done  int64  `json:"done"`
	Total int64  `json:"total,omitempty"`
}

// A Database reads the user's database. The memory it needs does not depend on the size of the data.
//
// A server that is away is Unavailable; a refused login is Denied.
type Database interface {
	// Fingerprint reads everything once.
	Fingerprint(ctx context.Context, invariants []Invariant, report func(Amount)) (Fingerprint, error)
	// Compare narrows the difference from a baseline to exact keys. It reads both databases again, but only the parts
	// whose fingerprints differ. limit bounds the keys listed per collection and kind; counts are exact.
	Compare(ctx context.Context, now Fingerprint, baseline Database, was Fingerprint, limit int) (Comparison, error)
	Close(ctx context.Context) error
}

// An Ignorer is a Database that can leave out what a release changes on purpose.
type Ignorer interface {
	// Ignoring returns a view of the same database. Its Fingerprint and Compare leave out the named collections and
	// fields of documents (collection.field). Closing either closes both.
	Ignoring(names []string) Database
}

// A Masker is a Database whose fields can be rewritten. Only a copy that nobody else uses is ever masked.
type Masker interface {
	// Mask rewrites every named field of every document and returns how many documents it read. A new value depends
	// on the key and the old value alone. Types, keys and indexes stay. A field of a masked collection that the mask
	// does not name is Failed, and so is a rule that matches nothing; the copy then cannot be used. No error holds a
	// value.
	Mask(ctx context.Context, m Mask, key []byte, report func(Amount)) (documents int64, err error)
}

// A Dial replaces the network for names that are only known inside an account.
type Dial = func(ctx context.Context, network, address string) (net.Conn, error)

// Databases opens a database of one engine.
type Databases interface {
	Open(ctx context.Context, uri string, dial Dial) (Database, error)
}
