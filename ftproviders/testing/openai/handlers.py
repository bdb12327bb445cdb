"""Which function carries out which request."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ftproviders.testing.openai import chat, files, graders, jobs, models, uploads
from ftproviders.testing.openai.call import Answer, Call

__all__ = ["HANDLERS"]

HANDLERS: Mapping[str, Callable[[Call], Answer]] = {
    "createFile": files.create_file,
    "listFiles": files.list_files,
    "retrieveFile": files.retrieve_file,
    "downloadFile": files.download_file,
    "deleteFile": files.delete_file,
    "createUpload": uploads.create_upload,
    "addUploadPart": uploads.add_part,
    "completeUpload": uploads.complete_upload,
    "cancelUpload": uploads.cancel_upload,
    "createFineTuningJob": jobs.create_job,
    "listPaginatedFineTuningJobs": jobs.list_jobs,
    "retrieveFineTuningJob": jobs.retrieve_job,
    "cancelFineTuningJob": jobs.cancel_job,
    "pauseFineTuningJob": jobs.pause_job,
    "resumeFineTuningJob": jobs.resume_job,
    "listFineTuningEvents": jobs.list_events,
    "listFineTuningJobCheckpoints": jobs.list_checkpoints,
    "createFineTuningCheckpointPermission": models.allow,
    "listFineTuningCheckpointPermissions": models.allowed,
    "deleteFineTuningCheckpointPermission": models.disallow,
    "validateGrader": graders.validate,
    "runGrader": graders.run,
    "listModels": models.list_models,
    "retrieveModel": models.retrieve_model,
    "deleteModel": models.delete_model,
    "createChatCompletion": chat.complete,
}
"""By the name in OpenAI's description."""
