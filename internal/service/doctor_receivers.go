package service

// receivers looks for what the receivers of notifications lack.
func (d *Doctor) receivers() {
	for _, to := range d.Config.Server.Receivers {
		d.result("receiver "+to.Name, d.Receivers(to), "has what it needs; to try it: sluice notify test %s", to.Name)
	}
}
