package io.github.clienteleoauth.spring;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow.Subscription;

/** A body in memory, of limited length. */
final class LimitedBody implements BodySubscriber<byte[]> {

	private final int max;

	private final CompletableFuture<byte[]> body = new CompletableFuture<>();

	private final ByteArrayOutputStream content = new ByteArrayOutputStream();

	private Subscription subscription;

	LimitedBody(int max) {
		this.max = max;
	}

	@Override
	public CompletionStage<byte[]> getBody() {
		return this.body;
	}

	@Override
	public void onSubscribe(Subscription subscription) {
		this.subscription = subscription;
		subscription.request(Long.MAX_VALUE);
	}

	@Override
	public void onNext(List<ByteBuffer> buffers) {
		for (ByteBuffer buffer : buffers) {
			if (buffer.remaining() > this.max - this.content.size()) {
				this.subscription.cancel();
				this.body.completeExceptionally(new IOException("the response is longer than " + this.max + " bytes"));
				return;
			}
			byte[] bytes = new byte[buffer.remaining()];
			buffer.get(bytes);
			this.content.writeBytes(bytes);
		}
	}

	@Override
	public void onError(Throwable error) {
		this.body.completeExceptionally(error);
	}

	@Override
	public void onComplete() {
		this.body.complete(this.content.toByteArray());
	}

}
