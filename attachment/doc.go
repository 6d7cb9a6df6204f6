// Package attachment encrypts files that are too large for a message, so that any server can hold them.
//
//	ref, err := attachment.Seal(blob, file)     // the blob goes to a server, ref.Marshal() into a message
//
//	ref, err := attachment.Parse(b)             // what the message held
//	file, err := ref.Open(blob)                 // an io.ReadSeeker and io.ReaderAt, for a blob with random access
//	err := ref.Decrypt(file, blob)              // or the whole of it in order, while it is downloaded
//
// A [Ref] holds a key that is drawn for this one blob and a digest of it. Who holds the Ref reads the file; who holds the blob
// alone learns its padded length (Padmé: at most 12 % more, and at least 1 KiB) and nothing else. Since the message is signed,
// so is the file: not even a member of the space can put another blob in its place.
//
// Memory is constant, about 300 KiB, whatever the size. An upload is resumed by keeping the blob in a file and sending it from
// the byte where the server stands; a download by asking for the bytes that are missing, which Open does by itself if its
// source reads ranges from a server. A blob cannot be sealed a second time with the same key: a file that changed meanwhile
// would use a nonce twice.
//
// # Format
//
// The content is padded with zeros and cut into chunks of 64 KiB, of which the last may be shorter. Each is encrypted with
// AES-256-GCM under the key of the Ref; the nonce is the chunk's number (11 bytes) and one byte that is 1 in the last chunk
// (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse
// Misuse-Resistance", 2015). After each 2,048 chunks, and after the last, stands a page: the hashes of the chunks before it.
// The root, the hashes of the pages, ends the blob. So one seek reads the root, one page and one chunk, each verified before
// it is used.
//
//	hash of a chunk = SHA-256(0 ‖ encrypted chunk)      hash of a page = SHA-256(1 ‖ page)
//	digest of the Ref = SHA-256(2 ‖ u64(size of the content) ‖ root)
package attachment
