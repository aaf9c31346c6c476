package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;

/** A token in a file, which is read again when its time, size or identity changes or the token is rejected. */
final class FileTokenSource implements ClienteleTokenSource {

	private static final int MAX_BYTES = 64 << 10;

	private final Path file;

	private Version version;

	private String token;

	FileTokenSource(Path file) {
		this.file = file;
	}

	@Override
	public synchronized String token() throws IOException {
		BasicFileAttributes attributes = Files.readAttributes(this.file, BasicFileAttributes.class);
		Version current = new Version(attributes.lastModifiedTime().toMillis(), attributes.size(),
				attributes.fileKey());
		if (!current.equals(this.version)) {
			this.token = read();
			this.version = current;
		}
		return this.token;
	}

	@Override
	public synchronized void rejected(String rejected) {
		if (rejected.equals(this.token)) {
			this.version = null;
		}
	}

	private String read() throws IOException {
		byte[] content;
		try (InputStream in = Files.newInputStream(this.file)) {
			content = in.readNBytes(MAX_BYTES + 1);
		}
		String text = new String(content, StandardCharsets.UTF_8).strip();
		if (content.length > MAX_BYTES || text.isEmpty() || !text.chars().allMatch((c) -> c > 0x20 && c < 0x7f)) {
			throw new IOException("the token file must contain one access token and nothing else");
		}
		return text;
	}

	private record Version(long modified, long size, Object key) {
	}

}
