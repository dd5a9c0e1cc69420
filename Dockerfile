# The pages over a mounted folder, without a network at run time:
#
#     docker build -t anotheryou .
#     docker run --rm -p 127.0.0.1:8391:8391 -v ~/Pictures:/pictures:ro -v anotheryou:/data \
#         -v ~/.anotheryou-password:/run/password:ro anotheryou
#
# The collection is kept in the volume.  Index from inside: docker run … anotheryou index /pictures
FROM python:3.11-slim AS build
COPY . /source
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir -c /source/constraints.txt \
        --extra-index-url https://download.pytorch.org/whl/cpu "/source[cpu,serve]"

FROM python:3.11-slim
# OpenMP, which torch's processor builds link against.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 me && mkdir /data && chown me /data
COPY --from=build /venv /venv
USER me
ENV PATH=/venv/bin:$PATH ANOTHERYOU_COLLECTION=/data/collection
VOLUME /data
EXPOSE 8391
ENTRYPOINT ["anotheryou"]
# Other machines, such as the one that runs the container, are let in with a password only.
CMD ["serve", "--host", "0.0.0.0", "--password-file", "/run/password"]
