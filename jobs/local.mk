# jobs: whole jobs, installed as examples. A new one: one more line here.
dist_jobs_DATA += \
	%D%/compress-tree.yaml \
	%D%/top-words.yaml
