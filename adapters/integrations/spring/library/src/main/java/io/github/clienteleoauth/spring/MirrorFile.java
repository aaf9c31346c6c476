package io.github.clienteleoauth.spring;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Map;
import java.util.Set;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/**
 * The copy in a file, as lines of JSON: a header, the clients, and their number. It is
 * replaced atomically and readable by its owner only.
 */
final class MirrorFile {

	private static final int FORMAT = 1;

	private static final long MAX_BYTES = 2L << 30;

	private static final FileAttribute<?>[] OWNER_ONLY = FileSystems.getDefault()
		.supportedFileAttributeViews()
		.contains("posix") ? new FileAttribute<?>[] {
				PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")) }
				: new FileAttribute<?>[0];

	private final Path path;

	/** What the clients belong to: the registry and the tenant. */
	private final String source;

	MirrorFile(Path path, String source) {
		this.path = path.toAbsolutePath();
		this.source = source;
	}

	/** Reads the file. It returns null if there is none, or one of another registry or tenant. */
	Copy read() throws IOException {
		if (!Files.exists(this.path)) {
			return null;
		}
		if (Files.size(this.path) > MAX_BYTES) {
			throw new IOException(this.path + " is longer than " + MAX_BYTES + " bytes");
		}
		ObjectMapper json = ClienteleClient.JSON;
		try (Lines lines = new Lines(Files.newInputStream(this.path))) {
			byte[] first = lines.next();
			JsonNode header = (first != null) ? json.readTree(first) : json.missingNode();
			if (header.path("format").asInt() != FORMAT || !header.path("cursor").isTextual()) {
				throw new IOException(this.path + " is not a file of this version");
			}
			if (!this.source.equals(header.path("source").asText())) {
				return null;
			}
			Copy copy = new Copy(header.path("cursor").textValue(),
					Instant.parse(header.path("confirmed_at").asText()));
			for (byte[] line = lines.next(); line != null; line = lines.next()) {
				JsonNode node = json.readTree(line);
				if (node.has("clients")) {
					if (node.path("clients").asInt(-1) != copy.size() || lines.next() != null) {
						break;
					}
					return copy;
				}
				copy.put(ClienteleClient.of(line, node));
			}
		}
		catch (DateTimeException ex) {
			throw new IOException(this.path + " has an invalid time", ex);
		}
		throw new IOException(this.path + " is incomplete");
	}

	void write(Copy copy) throws IOException {
		// The cursor is read before the clients: a client that changes in between is newer than
		// the cursor says, and the change is skipped when it is read again.
		Map<String, Object> header = Map.of("format", FORMAT, "source", this.source, "cursor", copy.cursor,
				"confirmed_at", copy.confirmedAt.toString());
		Path temporary = this.path.resolveSibling(this.path.getFileName() + ".tmp");
		Files.deleteIfExists(temporary);
		try (FileChannel channel = FileChannel.open(temporary,
				Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), OWNER_ONLY)) {
			OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), 64 << 10);
			out.write(ClienteleClient.JSON.writeValueAsBytes(header));
			out.write('\n');
			int clients = 0;
			for (ClienteleClient client : copy.clients()) {
				out.write(client.json());
				out.write('\n');
				clients++;
			}
			out.write(ClienteleClient.JSON.writeValueAsBytes(Map.of("clients", clients)));
			out.write('\n');
			out.flush();
			channel.force(true);
		}
		Files.move(temporary, this.path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
	}

}
