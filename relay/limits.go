package relay

// itemOverhead is what a message counts for beside its data, in bytes, so that empty ones are not for free.
const itemOverhead = 256

// batch is how many rows a transaction of Sweep goes through, so that it does not hold up others for long.
const batch = 256
