package appending

import "github.com/sluice-cd/sluice"

// MayReceive refuses a letter to a deployment whose log ends there.
func MayReceive(id sluice.DeploymentID, h Head) error {
	if h.Seq == 0 {
		return Unknown(id)
	}
	if h.Ended {
		return ended(id)
	}
	return nil
}

// Unknown is the error about a deployment that does not exist.
func Unknown(id sluice.DeploymentID) error {
	return sluice.Errorf(sluice.NotFound, "there is no deployment %s", id).WithHint("list them with: sluice status")
}

// NoLetter is the error about a letter that does not exist.
func NoLetter(id sluice.LetterID) error {
	return sluice.Errorf(sluice.NotFound, "there is no letter %d", id)
}

// NoCheckpoint is the error about a checkpoint that does not exist.
func NoCheckpoint(id sluice.CheckpointID) error {
	return sluice.Errorf(sluice.NotFound, "there is no checkpoint %s", id).WithHint("list them with: sluice data list")
}

// Leased is the error about a lease that somebody else holds.
func Leased(id sluice.DeploymentID) error {
	return sluice.Errorf(sluice.Conflict, "deployment %s is already being run", id)
}

// Lost is the error about a lease that this process held: another process may run the deployment.
func Lost(id sluice.DeploymentID) error {
	return sluice.Errorf(sluice.Conflict, "this process has lost the lease of deployment %s", id).
		WithHint("see whether another process runs it with: sluice status %s", id)
}

func settled(letter sluice.LetterID, id sluice.DeploymentID) error {
	return sluice.Errorf(sluice.Conflict, "letter %d to deployment %s is settled already", letter, id)
}

func ended(id sluice.DeploymentID) error {
	return sluice.Errorf(sluice.Conflict, "deployment %s has ended", id)
}
