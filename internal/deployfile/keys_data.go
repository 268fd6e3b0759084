package deployfile

import (
	"math"
	"time"

	"github.com/sluice-cd/sluice/internal/template"
)

var keysDataset = &table{name: "dataset", keys: []key{
	{"engine", choice("mongodb", "postgresql", "mysql", "files"), required,
		"The kind of database; this version supports mongodb and files"},
	{"workload", text, "", "Kind/name of the workload that uses the data; it is stopped before its volumes are replaced"},
	{"claims", names(resourceName), required, "The PersistentVolumeClaims, copied at one instant"},
	{"database", mapOf(keysDatabase), "", "How to reach the database; required unless the engine is files"},
	{"quiesce", wordOrMap(keysQuiesce, "auto", "none", "stop"), "auto",
		"How writes are stopped while the claims are copied; auto may lock the database, stop may stop the workload"},
	{"mover", wordOrMap(keysMover, "auto", "kopia", "csi"), "auto",
		"What copies the volumes: csi snapshots that stay in their storage, or kopia through a repository; auto takes csi " +
			"where it works"},
	{"invariants", listOf(keysInvariant), "", "What must hold before and after"},
}}

var keysDatabase = &table{name: "database", keys: []key{
	{"uri", filled(template.Database), required, "The database's address inside the namespace; a template"},
}}

var keysQuiesce = &table{name: "quiesceCommands", keys: []key{
	{"before", commands, required, "Run in the workload's pod before the claims are copied"},
	{"after", commands, "", "Run after the copy"},
}}

var keysMover = &table{name: "moverSettings", keys: []key{
	{"portworx", mapOf(keysPortworx), required, "Stork moves the volumes between two clusters; only migrateData uses it"},
}}

var keysPortworx = &table{name: "portworx", keys: []key{
	{"clusterPair", resource, required, "The ClusterPair that names the other cluster"},
	{"namespace", resource, "", "The namespace of the ClusterPair; that of the claims if it is left out"},
}}

var keysInvariant = &table{name: "invariant", one: []string{"count", "sum"}, keys: []key{
	{"name", own, required, "What must hold, in words"},
	{"count", text, "", "The collection or table that is counted; give either count or sum"},
	{"sum", text, "", "The collection or table whose field is added up"},
	{"field", text, "", "The field that sum adds up"},
	{"atLeast", bound, "", "The smallest allowed value; at least one bound is required"},
	{"atMost", bound, "", "The largest allowed value"},
	{"equals", bound, "", "The only allowed value"},
}}

var keysMigrateData = &table{name: "migrateData", keys: []key{
	{"dataset", text, required, "One of the datasets"},
	{"from", text, required, "The target whose data it is"},
	{"suspend", texts, "", "CronJobs of this target that stay suspended while it has the data, as CronJob/name"},
	{"secrets", listOf(keysSecretValue), "", "What Secrets of this target hold instead while it has the data"},
}}

var keysSecretValue = &table{name: "secretValue", keys: []key{
	{"secret", resource, required, "The Secret"},
	{"key", text, required, "Its key whose value is replaced"},
	{"value", filled(template.Database), required, "The other value; a template that names a secret of sluice.yaml"},
}}

var keysCheckpointData = &table{name: "checkpointData", keys: []key{
	{"dataset", text, required, "One of the datasets"},
	{"keep", whole(1, 100_000), "all", "How many checkpoints of this dataset and target to keep"},
	{"ttl", duration, "forever", "How long to keep this checkpoint"},
}}

var keysVerifyData = &table{name: "verifyData", keys: []key{
	{"dataset", text, required, "One of the datasets"},
	{"baseline", choice("migration", "checkpoint"), required, "What to compare with: the latest one in this target"},
	{"mode", choice("equal", "loss"), "equal for a migration, loss for a checkpoint",
		"equal allows no difference; loss allows additions and changes, but nothing missing"},
	{"ignore", texts, "", "What the release changes on purpose: collection, or collection.field"},
}}

var keysRestoreData = &table{name: "restoreData", keys: []key{
	{"dataset", text, required, "One of the datasets"},
	{"checkpoint", text, "the one of this deployment", "The checkpoint's id"},
	{"allowDataLoss", mapOf(keysDataLoss), "", "How much may be lost without asking a person"},
}}

var keysDataLoss = &table{name: "allowDataLoss", keys: []key{
	{"writes", whole(0, math.MaxInt32), "0", "How many writes"},
	{"seconds", whole(0, int(longest/time.Second)), "0", "How old the checkpoint may be"},
}}

var keysMaskData = &table{name: "maskData", keys: []key{
	{"dataset", text, required, "One of the datasets"},
	{"fields", textMap, required, "The rule for each collection.field: hash, format, email, empty or keep"},
}}
