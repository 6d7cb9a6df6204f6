package ratchet

// takeIn takes in what a message says beside its text, after it was verified. With what is refused the message is read all the
// same (StatementRefused).
func (d *edit) takeIn(l *reading) {
	takeAnswered(d, l)
	takeUpdate(d, l)
	takeIntroduced(d, l)
	takeShown(d, l)
	takeStatement(d, l)
}
