package deployfile

import (
	"math"
	"time"
)

var keysDataset = &table{name: "dataset", keys: []key{
	{name: "engine", form: formChoice, words: []string{"mongodb", "postgresql", "mysql", "files"}, need: true, about: "What reads the data; this version carries out mongodb and files"},
	{name: "workload", form: formText, about: "Kind/name of what uses the data; stopped before its volumes are replaced"},
	{name: "claims", form: formTexts, need: true, about: "The PersistentVolumeClaims, copied at one instant"},
	{name: "database", form: formMap, in: keysDatabase, about: "How the database is reached; required unless the engine is files"},
	{name: "quiesce", form: formWordOrMap, words: []string{"auto", "none"}, in: keysQuiesce, absent: "auto", about: "How the source is stilled while it is cut"},
	{name: "mover", form: formWordOrMap, words: []string{"auto", "kopia", "csi"}, in: keysMover, absent: "auto", about: "What copies the volumes; this version does it with kopia, which is what auto means"},
	{name: "invariants", form: formList, in: keysInvariant, about: "What must hold before and after"},
}}

var keysDatabase = &table{name: "database", keys: []key{
	{name: "uri", form: formText, need: true, about: "The address inside the namespace; a template"},
}}

var keysQuiesce = &table{name: "quiesceCommands", keys: []key{
	{name: "before", form: formCommands, need: true, about: "Run in the workload's pod before the cut"},
	{name: "after", form: formCommands, about: "Run after it"},
}}

var keysMover = &table{name: "moverSettings", keys: []key{
	{name: "portworx", form: formMap, in: keysPortworx, need: true, about: "Volumes are migrated by Portworx"},
}}

var keysPortworx = &table{name: "portworx", keys: []key{
	{name: "clusterPair", form: formText, need: true, about: "The ClusterPair that names the other cluster"},
}}

var keysInvariant = &table{name: "invariant", one: []string{"count", "sum"}, keys: []key{
	{name: "name", form: formText, need: true, about: "What must hold, in words"},
	{name: "count", form: formText, about: "The collection or table that is counted; one of count and sum"},
	{name: "sum", form: formText, about: "The collection or table whose field is summed up"},
	{name: "field", form: formText, about: "The field of sum"},
	{name: "atLeast", form: formBound, about: "The smallest value that is right; at least one bound is required"},
	{name: "atMost", form: formBound, about: "The largest value that is right"},
	{name: "equals", form: formBound, about: "The only value that is right"},
}}

var keysMigrateData = &table{name: "migrateData", keys: []key{
	{name: "dataset", form: formText, need: true, about: "One of the datasets"},
	{name: "from", form: formText, need: true, about: "The target whose data it is"},
}}

var keysCheckpointData = &table{name: "checkpointData", keys: []key{
	{name: "dataset", form: formText, need: true, about: "One of the datasets"},
	{name: "keep", form: formWhole, least: 1, most: 100_000, absent: "all", about: "How many checkpoints of the dataset and target stay"},
	{name: "ttl", form: formDuration, absent: "for ever", about: "How long this one stays"},
}}

var keysVerifyData = &table{name: "verifyData", keys: []key{
	{name: "dataset", form: formText, need: true, about: "One of the datasets"},
	{name: "baseline", form: formChoice, words: []string{"migration", "checkpoint"}, need: true, about: "What it is compared with: the latest one in this target"},
	{name: "mode", form: formChoice, words: []string{"equal", "loss"}, absent: "equal for a migration, loss for a checkpoint", about: "Whether additions count too, or only what is missing"},
	{name: "ignore", form: formTexts, about: "Collections, or collection.field, that the release changes on purpose"},
}}

var keysRestoreData = &table{name: "restoreData", keys: []key{
	{name: "dataset", form: formText, need: true, about: "One of the datasets"},
	{name: "checkpoint", form: formText, absent: "the one of this deployment", about: "The checkpoint's id"},
	{name: "allowDataLoss", form: formMap, in: keysDataLoss, about: "What may be lost without asking a person"},
}}

var keysDataLoss = &table{name: "allowDataLoss", keys: []key{
	{name: "writes", form: formWhole, least: 0, most: math.MaxInt32, absent: "0", about: "How many writes"},
	{name: "seconds", form: formWhole, least: 0, most: int(longest / time.Second), absent: "0", about: "How old the checkpoint may be"},
}}

var keysMaskData = &table{name: "maskData", keys: []key{
	{name: "dataset", form: formText, need: true, about: "One of the datasets"},
	{name: "fields", form: formTextMap, need: true, about: "The rule for each collection.field: hash, format, email, empty or keep"},
}}
