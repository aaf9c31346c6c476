package io.github.clienteleoauth.spring;

import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;

/** Reads lines of limited length. */
final class Lines implements Closeable {

	/** A client has at most 128 KiB of values, which JSON can make six times as long. */
	static final int MAX_LINE_BYTES = 4 << 20;

	private final InputStream in;

	private final byte[] buffer = new byte[64 << 10];

	private int position;

	private int limit;

	Lines(InputStream in) {
		this.in = in;
	}

	/** Returns the next line without its end, or null after the last one. A last line without an end is an error. */
	byte[] next() throws IOException {
		ByteArrayOutputStream line = new ByteArrayOutputStream(1024);
		while (true) {
			if (this.position == this.limit) {
				this.limit = this.in.read(this.buffer);
				this.position = 0;
				if (this.limit < 0) {
					this.limit = 0;
					if (line.size() > 0) {
						throw new IOException("the last line is incomplete");
					}
					return null;
				}
			}
			int end = this.position;
			while (end < this.limit && this.buffer[end] != '\n') {
				end++;
			}
			if (line.size() + end - this.position > MAX_LINE_BYTES) {
				throw new IOException("a line is longer than " + MAX_LINE_BYTES + " bytes");
			}
			line.write(this.buffer, this.position, end - this.position);
			if (end < this.limit) {
				this.position = end + 1;
				return line.toByteArray();
			}
			this.position = end;
		}
	}

	@Override
	public void close() throws IOException {
		this.in.close();
	}

}
