# doc: the manual. A new page: one more line here.
dist_man_MANS += \
	%D%/man/weir.1 \
	%D%/man/weir-job.5 \
	%D%/man/weir-plugin.7
# Section 3, made of the public headers; each function is a name of its page.
pages_of_headers = \
	%D%/man/weir-error.3 \
	%D%/man/weir-log.3 \
	%D%/man/weir-mutex.3 \
	%D%/man/weir-pool.3 \
	%D%/man/weir-process.3 \
	%D%/man/weir-queue.3
nodist_man_MANS += $(pages_of_headers)
CLEANFILES += $(pages_of_headers)
EXTRA_DIST += %D%/man/header.awk
PAGE_OF_HEADER = $(AM_V_GEN)$(MKDIR_P) %D%/man && \
	date=`sed -n 's/^\.Dd //p' $(srcdir)/%D%/man/weir.1` && \
	page=`basename $@ .3` && \
	$(AWK) -v page=$$page -v date="$$date" -f $(srcdir)/%D%/man/header.awk \
	    $(srcdir)/core/include/weir/`echo $$page | sed 's/^weir-//'`.h \
	    >$@-t && mv $@-t $@
$(pages_of_headers): %D%/man/header.awk %D%/man/weir.1
%D%/man/weir-error.3: core/include/weir/error.h
	$(PAGE_OF_HEADER)
%D%/man/weir-log.3: core/include/weir/log.h
	$(PAGE_OF_HEADER)
%D%/man/weir-mutex.3: core/include/weir/mutex.h
	$(PAGE_OF_HEADER)
%D%/man/weir-pool.3: core/include/weir/pool.h
	$(PAGE_OF_HEADER)
%D%/man/weir-process.3: core/include/weir/process.h
	$(PAGE_OF_HEADER)
%D%/man/weir-queue.3: core/include/weir/queue.h
	$(PAGE_OF_HEADER)
# The functions that a page tells of, as pages that lead there.
NAMES_OF_PAGE = sed -n 's/^\.Nm \(weir_[a-z0-9_]*\).*/\1/p'
install-page-names:
	@for page in $(pages_of_headers); do \
	    for name in `$(NAMES_OF_PAGE) $$page`; do \
	        echo ".so man3/`basename $$page`" \
	            >"$(DESTDIR)$(man3dir)/$$name.3" || exit 1; \
	    done; \
	done
uninstall-page-names: $(pages_of_headers)
	@for page in $(pages_of_headers); do \
	    for name in `$(NAMES_OF_PAGE) $$page`; do \
	        rm -f "$(DESTDIR)$(man3dir)/$$name.3"; \
	    done; \
	done
.PHONY: install-page-names uninstall-page-names
dist_doc_DATA += \
	%D%/jobs.md \
	%D%/library.md \
	%D%/operating.md \
	%D%/performance.md \
	%D%/plugins.md \
	%D%/tutorial.md
# For bash, which looks for a file with the command's name.
dist_completions_DATA += %D%/completion/weir
# Plots of the page, and their data: made by `./bootstrap bench growth`.
EXTRA_DIST += %D%/performance
