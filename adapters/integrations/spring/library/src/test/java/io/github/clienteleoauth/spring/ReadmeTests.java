package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

import org.junit.jupiter.api.Test;

import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;

import static org.assertj.core.api.Assertions.assertThat;

/** What README.md shows is what the example has and what the tests run. */
class ReadmeTests {

	private static final Path SNIPPETS = Path
		.of("src/test/java/io/github/clienteleoauth/spring/ReadmeSnippets.java");

	private final String readme = read(Path.of("../README.md"));

	private static String read(Path path) {
		try {
			return Files.readString(path);
		}
		catch (IOException ex) {
			throw new IllegalStateException(ex);
		}
	}

	private static List<String> between(Path path, String begin, String end) {
		List<String> blocks = new ArrayList<>();
		String text = read(path);
		for (int start = text.indexOf(begin); start >= 0; start = text.indexOf(begin, start + 1)) {
			int from = text.indexOf('\n', start) + 1;
			int to = text.lastIndexOf('\n', text.indexOf(end, from));
			blocks.add(text.substring(from, to).replace("\t", "    ").stripIndent());
		}
		return blocks;
	}

	@Test
	void showsWhatConnectsTheExample() {
		List<String> dependency = between(Path.of("../example/pom.xml"), "connect begin", "connect end");
		List<String> properties = between(Path.of("../example/src/main/resources/application.properties"),
				"connect begin", "connect end");
		assertThat(dependency).hasSize(1).allSatisfy((text) -> assertThat(this.readme).contains(text));
		assertThat(properties).hasSize(1).allSatisfy((text) -> assertThat(this.readme).contains(text));
		assertThat((dependency.get(0) + properties.get(0)).lines()).hasSizeLessThanOrEqualTo(40);
	}

	@Test
	void showsCodeThatIsTested() {
		assertThat(between(SNIPPETS, "snippet begin", "snippet end")).hasSize(2)
			.allSatisfy((text) -> assertThat(this.readme).contains(text));
	}

	@Test
	void listsAllPropertiesWithTheirDefaults() throws Exception {
		for (var field : ClienteleProperties.class.getDeclaredFields()) {
			if (field.isSynthetic()) {
				continue;
			}
			String name = "clientele." + field.getName().replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT);
			assertThat(this.readme).contains("| `" + name + "` |");
		}
		for (String line : this.readme.lines().filter((text) -> text.startsWith("| `clientele.")).toList()) {
			String[] columns = line.replace("`", "").split(" *\\| *");
			String name = columns[1].substring("clientele.".length());
			ClienteleProperties defaults = new ClienteleProperties();
			ClienteleProperties bound = columns[2].isEmpty() ? defaults
					: new Binder(new MapConfigurationPropertySource(Map.of("clientele." + name, columns[2])))
						.bind("clientele", Bindable.of(ClienteleProperties.class))
						.get();
			assertThat(bound).as(name).usingRecursiveComparison().isEqualTo(defaults);
		}
	}

}
